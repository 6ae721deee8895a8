package bundle

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"path"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
)

//go:embed page.html
var pageText string

// shownColumns and shownText bound the tables of the page; the data files have all.
const (
	shownColumns = 12
	shownText    = 160
)

type pageSet struct {
	Name    string
	Rows    int64
	Columns []string
	More    int
	Sample  [][]string
}

// Page is the file of a bundle that people open.
const Page = "index.html"

const title = "<h1>Your data</h1>\n"

// Linked is a page of a bundle that also links to what supplements it, each in a folder
// below it.
func Linked(page []byte, supplements []string) []byte {
	var links strings.Builder
	for _, s := range supplements {
		name := template.HTMLEscapeString(path.Join(s, Page))
		fmt.Fprintf(&links, "<p>More was found later: <a href=\"%s\">%s</a>.</p>\n", name, name)
	}
	return bytes.Replace(page, []byte(title), []byte(title+links.String()), 1) // data is escaped: the title stands there once
}

// page writes index.html: all of it in one file that fetches nothing. It names files and
// datasets; in which bucket something lay is for who runs the lake, in bundle.json.
func (w *writer) page(pieces, cats bool) error {
	tmpl, err := template.New("page").Funcs(template.FuncMap{
		"join":    func(l []string) string { return strings.Join(l, ", ") },
		"dataset": func(file string) string { return strings.Split(file, "/")[1] }, // files/DATASET/…
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("parse page: %w", err)
	}
	data := struct {
		Request, Account, Rights string
		Received, Made           string
		Supplement               bool
		Categories               []*category
		Sets                     []pageSet
		Files                    []File
		Withheld                 []Withheld
		Pieces, Cats             bool
	}{Request: w.Request.ID, Account: w.Request.Account, Made: day(w.Now), Received: day(w.Request.Received),
		Supplement: w.After != "", Withheld: slices.Clone(w.index.Withheld), Pieces: pieces, Cats: cats}
	var rights []string
	for _, r := range w.Request.Rights {
		rights = append(rights, string(r))
	}
	data.Rights = strings.Join(rights, ", ")
	if cats {
		data.Categories = w.listed()
	}
	for _, f := range w.index.Files {
		if f.Object != "" {
			f.Path = w.seal.clear(f.Path) // as it is handed over
			data.Files = append(data.Files, f)
			for i := range data.Withheld {
				if x := &data.Withheld[i]; x.Object == f.Object {
					x.Path = f.Path // of which a part is left out
				}
			}
		}
	}
	if pieces {
		for name, s := range w.datasets {
			if s.rows > 0 {
				data.Sets = append(data.Sets, s.page(name))
			}
		}
		sort.Slice(data.Sets, func(i, j int) bool { return data.Sets[i].Name < data.Sets[j].Name })
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	f, err := w.bytes(Page, b.Bytes())
	if err != nil {
		return err
	}
	w.index.Files = append(w.index.Files, f)
	return nil
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006") }

func (s *set) page(name string) pageSet {
	p := pageSet{Name: name, Rows: s.rows}
	for i, c := range s.root.fields {
		if i == shownColumns {
			p.More = len(s.root.fields) - i
			break
		}
		p.Columns = append(p.Columns, c.name)
	}
	for _, line := range s.sample {
		v, err := parse([]byte(line))
		if err != nil {
			continue // it was written from a value just now
		}
		var cells []string
		for i, n := range p.Columns {
			item, _ := v.member(i, n)
			text := item.text
			if item.kind == isObject || item.kind == isList {
				text = string(item.json(nil))
			}
			if len(text) > shownText {
				cut := shownText
				for cut > 0 && !utf8.RuneStart(text[cut]) {
					cut--
				}
				text = text[:cut] + "…"
			}
			cells = append(cells, text)
		}
		p.Sample = append(p.Sample, cells)
	}
	return p
}
