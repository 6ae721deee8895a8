package erase_test

import (
	"testing"

	"expunge/pipeline/journal"
)

// Files that a table's commits name are never changed behind them.
func TestTablesAreRefused(t *testing.T) {
	for _, mark := range []string{"calls/_delta_log/00000000000000000000.json", "calls/.hoodie/hoodie.properties", "calls/metadata/v1.metadata.json", "_delta_log/0.json"} {
		t.Run(mark, func(t *testing.T) {
			w := newWorld(t, true)
			lines := []string{rec(0, "ann"), rec(1, "bob")}
			w.put(mark, "{}")
			o := w.put("calls/dt=1/a.jsonl", lines...)
			w.tomb(o, lines, 0)
			was := state(t, w.lake)
			for k, got := range w.mustErase() {
				if got.State != journal.Refused {
					t.Errorf("%s is %s, not refused", k, got.State)
				}
			}
			check(t, state(t, w.lake), was)
		})
	}
	w := newWorld(t, false) // a folder of metadata that is none of Iceberg's
	lines := []string{rec(0, "ann"), rec(1, "bob")}
	w.put("calls/metadata/a.json", "{}")
	w.tomb(w.put("calls/a.jsonl", lines...), lines, 0)
	w.mustErase()
	check(t, state(t, w.lake), map[string]string{"calls/metadata/a.json": "{}\n", "calls/a.jsonl": text(lines[1:])})
}
