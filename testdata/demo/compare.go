package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// place is a record that was handed over or is to be erased for a request; record
// is -1 for a whole object.
type place struct {
	request string // ACCOUNT/ID
	object  string // URL; of whole objects in bundles the SHA-256, since they are files there
	record  int64
}

func (p place) String() string {
	if p.record < 0 {
		return fmt.Sprintf("%s: %s, whole", p.request, p.object)
	}
	return fmt.Sprintf("%s: %s, record %d", p.request, p.object, p.record)
}

// found are places with their tiers. Equal places count once each time they are
// found, so that a record handed over twice is seen.
type found map[place][]string

func (f found) add(p place, tier string) { f[p] = append(f[p], tier) }

// verdict is the difference between what is true and what was found.
type verdict struct {
	expected, found, tiers int
	missing, foreign       []string
}

func judge(want, got found) verdict {
	var v verdict
	for p, tiers := range want {
		v.expected += len(tiers)
		for range len(tiers) - len(got[p]) {
			v.missing = append(v.missing, p.String()+" ("+tiers[0]+")")
		}
		if n := min(len(tiers), len(got[p])); got[p] != nil && got[p][0] != "" && !slices.Equal(tiers[:n], got[p][:n]) {
			v.tiers++
		}
	}
	for p, tiers := range got {
		v.found += len(tiers)
		for range len(tiers) - len(want[p]) {
			v.foreign = append(v.foreign, p.String()+" ("+tiers[0]+")")
		}
	}
	slices.Sort(v.missing)
	slices.Sort(v.foreign)
	return v
}

// compare holds manifest and bundles against the truth about the lake.
func (d *demo) compare(run string) error {
	erase, give, err := d.truth()
	if err != nil {
		return err
	}
	manifest, err := d.manifest(run)
	if err != nil {
		return err
	}
	bundles, err := d.bundles()
	if err != nil {
		return err
	}
	fmt.Println("# Is that right? The lake's generator knows which records are whose.")
	var sum verdict
	for _, part := range []struct {
		name string
		v    verdict
	}{{"manifest", judge(erase, manifest)}, {"bundles", judge(give, bundles)}} {
		v := part.v
		fmt.Printf("%-8s  %d records expected, %d found, %d missing, %d foreign\n", part.name, v.expected, v.found, len(v.missing), len(v.foreign))
		if v.tiers > 0 {
			fmt.Printf("%-8s  %d of them by a surer or less sure tier than the truth has\n", "", v.tiers)
		}
		show("missing", v.missing)
		show("foreign", v.foreign)
		sum.expected += v.expected
		sum.found += v.found
		sum.missing = append(sum.missing, v.missing...)
		sum.foreign = append(sum.foreign, v.foreign...)
	}
	fmt.Printf("truth: %d records expected, %d found, %d missing, %d foreign\n\n", sum.expected, sum.found, len(sum.missing), len(sum.foreign))
	switch {
	case sum.expected == 0:
		return errors.New("the lake holds nothing to find, so this shows nothing")
	case len(sum.missing)+len(sum.foreign) > 0:
		return errors.New("what was found is not what is true")
	}
	return nil
}

func show(what string, places []string) {
	for i, p := range places {
		if i == 10 {
			fmt.Printf("  … %d more\n", len(places)-i)
			return
		}
		fmt.Printf("  %s  %s\n", what, p)
	}
}

// truth lists what the manifest and the bundles must hold: the records that need
// no person's decision.
func (d *demo) truth() (erase, give found, err error) {
	sums, err := d.sums()
	if err != nil {
		return nil, nil, err
	}
	erase, give = found{}, found{}
	for t := range d.lake.Truth() {
		if !t.Tier.Automatic() {
			continue
		}
		p := place{t.Account + "/" + t.Request, objectURL(t.Object), t.Record}
		if slices.Contains(t.Rights, "delete") {
			erase.add(p, string(t.Tier))
		}
		// All requests of this lake are verified to the level that specific pieces need.
		if slices.Contains(t.Rights, "access") || slices.Contains(t.Rights, "know") {
			if p.record < 0 {
				p.object = sums[t.Object]
			}
			give.add(p, string(t.Tier))
		}
	}
	return erase, give, nil
}

// sums are the SHA-256 of the objects that are handed over whole.
func (d *demo) sums() (map[string]string, error) {
	whole := map[string]bool{}
	for t := range d.lake.Truth() {
		if t.Record < 0 {
			whole[t.Object] = true
		}
	}
	sums := map[string]string{}
	for f := range d.lake.Files() {
		if !whole[f.Key] {
			continue
		}
		h := sha256.New()
		if err := f.Write(h); err != nil {
			return nil, err
		}
		sums[f.Key] = hex.EncodeToString(h.Sum(nil))
	}
	return sums, nil
}

func objectURL(key string) string {
	segments := strings.Split(key, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return "s3://" + lakeBucket + "/" + strings.Join(segments, "/")
}

// manifest reads what is to be erased.
func (d *demo) manifest(run string) (found, error) {
	files, err := filepath.Glob(d.path("out", "runs", run, "manifest", "tombstones*.parquet"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("run %s has no manifest", run)
	}
	type row struct {
		Request string `parquet:"request"`
		Object  string `parquet:"object"`
		Record  *int64 `parquet:"record,optional"`
		Tier    string `parquet:"tier"`
	}
	got := found{}
	for _, file := range files {
		rows, err := parquet.ReadFile[row](file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		for _, r := range rows {
			got.add(place{r.Request, r.Object, number(r.Record)}, r.Tier)
		}
	}
	return got, nil
}

// bundles reads what is handed over.
func (d *demo) bundles() (found, error) {
	indexes, err := filepath.Glob(d.path("out", "bundles", "*", "*", "bundle.json"))
	if err != nil {
		return nil, err
	}
	due := 0
	for _, r := range d.lake.Requests() {
		if slices.Contains(r.Rights, "access") || slices.Contains(r.Rights, "know") {
			due++
		}
	}
	if len(indexes) != due {
		return nil, fmt.Errorf("%d bundles, but %d requests ask for one", len(indexes), due)
	}
	got := found{}
	for _, index := range indexes {
		if err := bundle(filepath.Dir(index), got); err != nil {
			return nil, fmt.Errorf("read bundle %s: %w", filepath.Dir(index), err)
		}
	}
	return got, nil
}

func bundle(dir string, got found) error {
	request := filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir)
	text, err := os.ReadFile(filepath.Join(dir, "bundle.json"))
	if err != nil {
		return err
	}
	var index struct {
		Files []struct {
			Path, SHA256 string
			Rows         *int64
		} `json:"files"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return err
	}
	type row struct {
		Object string `parquet:"_object"`
		Record *int64 `parquet:"_record,optional"`
		Tier   string `parquet:"_tier"`
	}
	listed := map[string]bool{"bundle.json": true}
	for _, f := range index.Files {
		listed[f.Path] = true
		body, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		if hex.EncodeToString(sum[:]) != f.SHA256 {
			return fmt.Errorf("%s is not the file that bundle.json names", f.Path)
		}
		switch folder, _, _ := strings.Cut(f.Path, "/"); {
		case folder == "files":
			got.add(place{request, f.SHA256, -1}, "")
		case folder == "data" && strings.HasSuffix(f.Path, ".parquet"):
			rows, err := parquet.ReadFile[row](filepath.Join(dir, filepath.FromSlash(f.Path)))
			if err != nil {
				return fmt.Errorf("read %s: %w", f.Path, err)
			}
			for _, r := range rows {
				if r.Record != nil { // whole objects are counted by their files
					got.add(place{request, r.Object, *r.Record}, r.Tier)
				}
			}
		}
	}
	if !listed["categories.parquet"] {
		return errors.New("no categories.parquet")
	}
	return fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !listed[path] {
			err = fmt.Errorf("%s is there, but bundle.json does not name it", path)
		}
		return err
	})
}

func number(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}
