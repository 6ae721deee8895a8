// Package intake is the step that takes requests in: it reads and checks them,
// keeps them in the work store with their identifiers sealed, and knows where
// each stands. A request is never changed once it is stored; what happens to it
// is appended as events.
package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/naming"
)

// Check holds what only the caller knows of accounts, kinds and identifiers.
type Check struct {
	Now         time.Time
	Account     func(name string) bool
	Kind        func(kind pipeline.Kind) bool
	NearAccount func(name string) string                                     // an account that was perhaps meant, "" if none is near; nil: never
	Nearest     func(kind pipeline.Kind) string                              // a kind that was perhaps meant, "" if none is near; nil: never
	Identifier  func(r *pipeline.Request) func(id pipeline.Identifier) error // of an account that there is
}

// Parse reads requests: one JSON object, a JSON array, or JSON lines. All mistakes
// are reported together, by place and id; then nothing is returned.
func Parse(name string, data []byte, c Check) ([]*pipeline.Request, error) {
	data = bytes.TrimPrefix(bytes.TrimSpace(data), []byte("\xef\xbb\xbf"))
	var raw []json.RawMessage
	if len(data) > 0 && data[0] != '[' && data[0] != '{' {
		return nil, fmt.Errorf("%s: requests are JSON: an object, an array of objects, or one in each line", name)
	}
	if len(data) > 0 && data[0] == '[' {
		if err := json.Unmarshal(data, &raw); err != nil {
			return nil, fmt.Errorf("%s: read requests: %w", name, err)
		}
	} else {
		dec := json.NewDecoder(bytes.NewReader(data))
		for {
			var one json.RawMessage
			err := dec.Decode(&one)
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("%s: read request %d: %w", name, len(raw)+1, err)
			}
			raw = append(raw, one)
		}
	}
	if len(raw) == 0 {
		return nil, fmt.Errorf("%s: holds no request", name)
	}
	var out []*pipeline.Request
	var problems []error
	seen := map[pipeline.RequestRef]int{}
	for i, one := range raw {
		where := fmt.Sprintf("%s: request %d", name, i+1)
		r := new(pipeline.Request)
		dec := json.NewDecoder(bytes.NewReader(one))
		dec.DisallowUnknownFields()
		err := checkNames(one)
		if err == nil {
			err = dec.Decode(r)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %s", where, naming.Mask(err.Error()))) // decoders quote what they do not understand
			continue
		}
		if r.ID != "" {
			where += " (" + naming.Mask(strings.TrimPrefix(r.Account+"/", "/")) + r.ID + ")"
		}
		for _, err := range Validate(r, c) {
			problems = append(problems, fmt.Errorf("%s: %w", where, err))
		}
		if first, twice := seen[r.Ref()]; twice {
			problems = append(problems, fmt.Errorf("%s: has the id of request %d", where, first))
		}
		seen[r.Ref()] = i + 1
		out = append(out, r)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return out, nil
}

// Validate returns what is wrong with a request.
func Validate(r *pipeline.Request, c Check) []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.Version != 1 {
		bad("version must be 1")
	}
	if !pipeline.ValidID(r.ID) {
		bad("id must be 1 to 64 of letters, digits, '.', '_' and '-', begin with a letter or digit, and not end in .json")
	}
	switch {
	case r.Account == "":
		bad("account is missing: say for which business customer the request is")
	case !c.Account(r.Account):
		near := ""
		if c.NearAccount != nil && c.NearAccount(r.Account) != "" {
			near = "; did you mean " + c.NearAccount(r.Account) + "?"
		}
		bad("account %q is not in the config%s", naming.Mask(r.Account), near)
	}
	if r.Subject != "" && r.Subject != "consumer" && r.Subject != "agent" {
		bad("subject must be consumer or agent")
	}
	if len(r.Rights) == 0 {
		bad("rights are missing: name at least one of %v", pipeline.Rights())
	}
	for _, right := range r.Rights {
		if !slices.Contains(pipeline.Rights(), right) {
			bad("right %q is not one of %v", naming.Mask(string(right)), pipeline.Rights())
		}
	}
	if r.Received.IsZero() {
		bad("received is missing: deadlines count from the day the account received the request")
	} else if r.Received.After(c.Now.Add(24 * time.Hour)) {
		bad("received lies in the future")
	} else if r.Received.Year() < 2000 {
		bad("received is before the year 2000")
	}
	if w := r.Window; w != nil && w.Since != nil && w.Until != nil && w.Until.Before(w.Since.Time) {
		bad("window.until is before window.since: nothing would be given")
	}
	switch r.Verification.Level {
	case "", "none", "reasonable", "reasonably_high":
	default:
		bad("verification.level must be none, reasonable or reasonably_high")
	}
	if len(r.Identifiers) == 0 {
		bad("identifiers are missing: there is nothing to look for")
	} else if !slices.ContainsFunc(r.Identifiers, func(id pipeline.Identifier) bool { return id.Kind != pipeline.Name }) {
		bad("identifiers are names alone, which many people have: a name only confirms what another identifier found; give a phone, an address or an id, too")
	}
	for i, id := range r.Identifiers {
		if id.ValidFrom != nil && id.ValidTo != nil && id.ValidTo.Before(id.ValidFrom.Time) {
			bad("identifiers[%d]: valid_to is before valid_from", i)
		}
		switch {
		case !c.Kind(id.Kind):
			near := ""
			if c.Nearest != nil {
				near = c.Nearest(id.Kind)
			}
			if near != "" {
				bad("identifiers[%d]: kind %q is not known; did you mean %q?", i, naming.Mask(string(id.Kind)), near)
				continue
			}
			bad("identifiers[%d]: kind %q is not known; the config can name it", i, naming.Mask(string(id.Kind)))
		case strings.TrimSpace(id.Value.Reveal()) == "":
			bad("identifiers[%d]: value of kind %s is empty", i, id.Kind)
		case c.Account(r.Account):
			if err := c.Identifier(r)(id); err != nil {
				bad("identifiers[%d]: value of kind %s: %w", i, id.Kind, err)
			}
		}
	}
	return errs
}
