package intake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// checkNames refuses what encoding/json would settle in silence: of two keys of one
// name it takes the last, and "Account" for account. A request that names two accounts
// or two ids is nobody's to choose from. raw is valid JSON.
func checkNames(raw []byte) error {
	type level struct {
		object, value bool // value: the next token of an object is one
		seen          map[string]bool
	}
	var levels []*level
	dec := json.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := dec.Token()
		if err != nil {
			return nil // the end
		}
		var in *level
		if len(levels) > 0 {
			in = levels[len(levels)-1]
		}
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			levels = levels[:len(levels)-1]
			continue
		}
		if in != nil && in.object && !in.value {
			name := token.(string)
			switch {
			case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "":
				return fmt.Errorf("unknown field %q: fields are of lower-case letters", name)
			case in.seen[name]:
				return fmt.Errorf("field %q stands there twice", name)
			}
			in.seen[name], in.value = true, true
			continue
		}
		if in != nil {
			in.value = false
		}
		if delim, ok := token.(json.Delim); ok {
			levels = append(levels, &level{object: delim == '{', seen: map[string]bool{}})
		}
	}
}
