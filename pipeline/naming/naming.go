// Package naming says how outputs name objects: by URL, redacted where the key
// itself holds a direct or online identifier of a person, and by a keyed id.
package naming

import (
	"cmp"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/seal"
)

// Names names objects.
type Names struct {
	URLs     map[string]string // of stores, by name
	Datasets []pipeline.Dataset
	Region   string // of national phone numbers in keys
	Keys     *seal.Keys
}

// Escape percent-encodes a key, segment by segment.
func Escape(key string) string {
	segments := strings.Split(key, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}

// Ref names an object for outputs.
func (n *Names) Ref(o *pipeline.Object) pipeline.ObjectRef {
	full := strings.TrimSuffix(n.URLs[o.Store], "/") + "/" + Escape(o.Key)
	ref := pipeline.ObjectRef{URL: full, Shown: full, ID: n.Keys.Digest("object", "", []byte(full)), Version: o.Version, ETag: o.ETag, Size: o.Size}
	if shown := n.redact(o); shown != o.Key {
		ref.Identifying = true
		ref.Shown = strings.TrimSuffix(n.URLs[o.Store], "/") + "/" + shown
	}
	return ref
}

// IDs are the ids of an object under the work key and older ones, the current first.
func (n *Names) IDs(o *pipeline.Object) []string {
	full := strings.TrimSuffix(n.URLs[o.Store], "/") + "/" + Escape(o.Key)
	var out []string
	for _, key := range n.Keys.All("object", "") {
		out = append(out, key.Digest([]byte(full)))
	}
	return out
}

// Shown is how errors and logs call an object.
func (n *Names) Shown(o *pipeline.Object) string { return n.Ref(o).Shown }

// redact puts {kind} in the place of each captured identifier of a person, of each
// segment that looks like an address, and of what looks like a phone number: in keys
// that a dataset declares, of what is one and is no declared capture. The rest is percent-encoded; a key with nothing to hide
// comes back as it was.
func (n *Names) redact(o *pipeline.Object) string {
	hide := map[string]string{}
	if o.Dataset >= 0 {
		for name, f := range n.Datasets[o.Dataset].Object {
			if v := o.Captures[name]; v != "" && f.Kind.Identifies() && !redacted.MatchString(v) {
				hide[v] = "{" + string(f.Kind) + "}"
			}
		}
	}
	// Longest values first, so that no short one is cut out of a long one.
	values := slices.SortedFunc(maps.Keys(hide), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	var pairs []string
	for _, v := range values {
		pairs = append(pairs, v, hide[v])
	}
	masks := strings.NewReplacer(pairs...)
	segments := strings.Split(o.Key, "/")
	found := false
	for i, s := range segments {
		lower := strings.ToLower(s)
		out := masks.Replace(s)
		if out == s && (strings.Contains(s, "@") || strings.Contains(lower, "%40")) {
			out = maskEmail
		}
		if out != s {
			found = true
			segments[i] = out
			continue
		}
		segments[i] = url.PathEscape(s)
		hide := Mask // nobody has said what its digits are
		if o.Dataset >= 0 {
			hide = func(text string) string { return n.maskNumbers(text, o, func(string) string { return maskPhone }) }
		}
		if out := maskSegment(s, hide); out != segments[i] {
			found = true
			segments[i] = out
		}
	}
	if !found {
		return o.Key
	}
	return strings.Join(segments, "/")
}

// Sealed is the true URL of an object whose key identifies, sealed; "" for others.
func (n *Names) Sealed(ref *pipeline.ObjectRef) string {
	if !ref.Identifying {
		return ""
	}
	return base64.StdEncoding.EncodeToString(n.Keys.Seal("object-url", "", []byte(ref.URL)))
}
