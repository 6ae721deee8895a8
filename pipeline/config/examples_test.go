package config

import (
	"path/filepath"
	"testing"
)

// The configs that people start from load, without a warning.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../configs/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("examples: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := Load(file, func(name string) string { return "value-of-" + name })
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range c.Warnings {
				t.Errorf("%v", w)
			}
			if _, err := c.Matcher(); err != nil {
				t.Error(err)
			}
			for _, d := range c.Datasets {
				if len(d.Sources) == 0 || len(d.Purposes) == 0 || d.Category == "" {
					t.Errorf("dataset %s does not say its category, sources and purposes", d.Name)
				}
			}
		})
	}
}
