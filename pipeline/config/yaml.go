package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// node is a value of the file with its place: what the reader needs of the YAML
// library's tree, and no more.
type node struct {
	kind      nodeKind
	text      string // scalars as written, quotes and escapes resolved
	entries   []entry
	items     []*node
	line, col int
}

type entry struct {
	key       string
	line, col int
	value     *node
}

type nodeKind string

const (
	null    nodeKind = "nothing"
	text    nodeKind = "text"
	integer nodeKind = "a whole number"
	number  nodeKind = "a number"
	boolean nodeKind = "true or false"
	list    nodeKind = "a list"
	mapping nodeKind = "a mapping"
)

// parseYAML reads src. The library has panicked on odd input before; a panic is
// an error here.
func parseYAML(file string, src []byte) (root *node, err error) {
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, Problems{{file, 1, 1, fmt.Sprintf("the YAML reader gave up on this file: %v", p)}}
		}
	}()
	f, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		p := Problem{file, 1, 1, err.Error()}
		if e := yaml.Error(nil); errors.As(err, &e) {
			p.Text = "not YAML: " + e.GetMessage()
			if t := e.GetToken(); t != nil && t.Position != nil {
				p.Line, p.Col = t.Position.Line, t.Position.Column
			}
		}
		return nil, Problems{p}
	}
	b := &builder{file: file, anchors: map[string]*node{}}
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			b.problem(doc.Body.GetToken(), "a second document: a config is one")
			break
		}
		root = b.node(doc.Body, 0)
	}
	if root == nil {
		b.problems = append(b.problems, Problem{file, 1, 1, "the file is empty"})
	}
	if len(b.problems) > 0 {
		b.problems.sort()
		return nil, b.problems
	}
	return root, nil
}

type builder struct {
	file     string
	anchors  map[string]*node
	problems Problems
}

func (b *builder) problem(t *token.Token, format string, args ...any) {
	p := Problem{b.file, 1, 1, fmt.Sprintf(format, args...)}
	if t != nil && t.Position != nil {
		p.Line, p.Col = t.Position.Line, t.Position.Column
	}
	b.problems = append(b.problems, p)
}

const maxDepth = 32 // of nesting; the config's own is 6

func (b *builder) node(n ast.Node, depth int) *node {
	out := &node{kind: null}
	if n == nil {
		return out
	}
	t := n.GetToken()
	if t != nil && t.Position != nil {
		out.line, out.col = t.Position.Line, t.Position.Column
	}
	if depth > maxDepth {
		b.problem(t, "nested too deeply")
		return out
	}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		out.kind, out.text = text, n.Value
	case *ast.LiteralNode:
		out.kind, out.text = text, n.Value.Value
	case *ast.IntegerNode:
		out.kind, out.text = integer, n.Token.Value
	case *ast.FloatNode:
		out.kind, out.text = number, n.Token.Value
	case *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = number, t.Value
	case *ast.BoolNode:
		out.kind, out.text = boolean, strings.ToLower(n.Token.Value)
	case *ast.SequenceNode:
		out.kind = list
		for _, v := range n.Values {
			out.items = append(out.items, b.node(v, depth+1))
		}
	case *ast.MappingNode:
		out.kind = mapping
		if len(n.Values) > 0 && !n.IsFlowStyle {
			if k := n.Values[0].Key.GetToken(); k != nil && k.Position != nil {
				out.line, out.col = k.Position.Line, k.Position.Column
			}
		}
		for _, v := range n.Values {
			b.entry(out, v, depth)
		}
	case *ast.MappingValueNode:
		out.kind = mapping
		b.entry(out, n, depth)
		if len(out.entries) > 0 {
			out.line, out.col = out.entries[0].line, out.entries[0].col
		}
	case *ast.AnchorNode:
		out = b.node(n.Value, depth+1)
		b.anchors[n.Name.GetToken().Value] = out
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		target, ok := b.anchors[name]
		if !ok {
			b.problem(t, "*%s stands for an anchor that is not defined above", name)
			return out
		}
		c := *target
		c.line, c.col = out.line, out.col
		return &c
	case *ast.TagNode:
		b.problem(t, "tags like %s are not taken", t.Value)
	default:
		b.problem(t, "%s is not taken here", n.Type())
	}
	return out
}

func (b *builder) entry(out *node, v *ast.MappingValueNode, depth int) {
	t := v.Key.GetToken()
	if v.Key.IsMergeKey() {
		b.problem(t, "merge keys (<<) are not taken: write the keys out, or give the whole value an anchor")
		return
	}
	key, ok := v.Key.(ast.ScalarNode)
	if !ok || t == nil {
		b.problem(v.Start, "a key must be plain text")
		return
	}
	e := entry{key: t.Value, value: b.node(v.Value, depth+1)}
	if s, ok := key.(*ast.StringNode); ok {
		e.key = s.Value
	}
	if t.Position != nil {
		e.line, e.col = t.Position.Line, t.Position.Column
	}
	if e.value.kind == null { // the library places a missing value wherever the next token is
		e.value.line, e.value.col = e.line, e.col
	}
	for _, other := range out.entries {
		if other.key == e.key {
			b.problem(t, "%q stands here twice (first in line %d)", e.key, other.line)
			return
		}
	}
	out.entries = append(out.entries, e)
}
