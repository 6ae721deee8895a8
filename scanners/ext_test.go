package scanners

import "testing"

func TestExt(t *testing.T) {
	for key, want := range map[string]string{
		"a/b.csv": ".csv", "a/b.CSV.gz": ".csv", "b.tsv.ZST": ".tsv", "b.gz": "", "a.csv/b": "", "": "", "jane.roe@example.com.csv": ".csv",
	} {
		if got := Ext(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}
