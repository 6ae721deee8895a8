package dir_test

import (
	"testing"

	"expunge/connectors"
	"expunge/connectors/dir"
	"expunge/connectors/storetest"
)

func TestLaws(t *testing.T) {
	open := func(t *testing.T) connectors.Store {
		s, err := dir.New("lake", t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	storetest.Run(t, open, storetest.Options{Tree: true, Refuses: dir.Refuses, Dress: dress})
}
