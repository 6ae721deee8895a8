package tombstone

import (
	"slices"
	"testing"

	"expunge/pipeline/manifest"
)

// Where requests ask for different things of one record, the most careful is done to
// it, and whatever any of them keeps stays. The order of rows does not matter.
func TestCareful(t *testing.T) {
	erase := manifest.Row{Action: "erase_record", Disposition: "PLANNED"}
	redact := func(keep ...string) manifest.Row {
		return manifest.Row{Action: "redact", Disposition: "PLANNED", KeptFields: keep}
	}
	except := func(keep ...string) manifest.Row {
		return manifest.Row{Action: "erase_record", Disposition: "EXCEPTED", KeptFields: keep}
	}
	for _, c := range []struct {
		name        string
		rows        []manifest.Row
		action      string
		disposition string
		kept        []string
	}{
		{"erase twice", []manifest.Row{erase, erase}, "erase_record", "PLANNED", nil},
		{"redact and erase", []manifest.Row{erase, redact("id")}, "redact", "PLANNED", []string{"id"}},
		{"two redactions", []manifest.Row{redact("b", "id"), redact("a", "id")}, "redact", "PLANNED", []string{"a", "b", "id"}},
		{"an exception and erase", []manifest.Row{erase, except("id")}, "", "EXCEPTED", []string{"id"}},
		{"an exception and a redaction", []manifest.Row{except("id"), redact("at")}, "", "EXCEPTED", []string{"at", "id"}},
		{"an exception that keeps all, and one that does not", []manifest.Row{except("id"), except()}, "", "EXCEPTED", nil},
	} {
		for _, reversed := range []bool{false, true} {
			var rows []*manifest.Row
			for i := range c.rows {
				r := c.rows[i]
				rows = append(rows, &r)
			}
			if reversed {
				slices.Reverse(rows)
			}
			careful(rows)
			for i, r := range rows {
				if c.action != "" && r.Action != c.action || r.Disposition != c.disposition || !slices.Equal(r.KeptFields, c.kept) {
					t.Errorf("%s, reversed %t, row %d: %s %s keeps %q, want %s %s %q", c.name, reversed, i, r.Action, r.Disposition, r.KeptFields, c.action, c.disposition, c.kept)
				}
			}
		}
	}
}
