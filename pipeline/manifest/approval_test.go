package manifest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline/output"
	"expunge/pipeline/seal"
)

func testKeys(t *testing.T, first byte) *seal.Keys {
	t.Helper()
	keys, err := seal.Open(bytes.Repeat([]byte{first}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func testManifest() *Manifest {
	return &Manifest{Version: 1, Run: "run-1", Rows: 3, Accounts: map[string]*Account{
		"acme":   {Rows: 2, SHA256: "aa", Requests: []string{"acme/R-1"}},
		"globex": {Rows: 1, SHA256: "bb", Requests: []string{"globex/R-1"}},
	}}
}

// Approvals of parts add up, and the last time before which nothing may begin counts.
func TestApprovalsAddUp(t *testing.T) {
	work, keys, m := mem.New("work", mem.Options{}), testKeys(t, 1), testManifest()
	approve := func(notBefore string, accounts ...string) {
		t.Helper()
		if _, err := Approve(t.Context(), work, keys, nil, m, Approval{By: "jo", At: "2026-11-25T12:00:00Z", NotBefore: notBefore}, accounts); err != nil {
			t.Fatal(err)
		}
	}
	read := func() *Approved {
		t.Helper()
		got, err := Approvals(t.Context(), work, keys, nil, m, 0)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if _, ok := read().Account("acme"); ok {
		t.Error("approved by nobody")
	}
	for range 11 { // 10.json is listed before 2.json
		approve("2026-12-01T00:00:00Z", "acme")
	}
	approve("2026-12-24T00:00:00Z", "acme")
	got := read()
	if from, ok := got.Account("acme"); !ok || !from.Equal(time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("acme: %v, %v", from, ok)
	}
	if _, ok := got.Account("globex"); ok {
		t.Error("globex was approved with acme")
	}
	approve("")
	got = read()
	if from, ok := got.Account("globex"); !ok || !from.IsZero() {
		t.Errorf("globex: %v, %v", from, ok)
	}
	if from, _ := got.Account("acme"); from.IsZero() {
		t.Error("an approval without a time took back the time of an earlier one")
	}
	if _, err := Approve(t.Context(), work, keys, nil, m, Approval{By: "jo"}, []string{"initech"}); !errors.Is(err, ErrNoPart) {
		t.Errorf("an account that is not in the manifest: %v", err)
	}
}

// How many survivors may go is said for the accounts that an approval covers: the last
// one that says something of it counts, and may take it back.
func TestApprovedLossesAreOfTheirAccounts(t *testing.T) {
	work, keys, m := mem.New("work", mem.Options{}), testKeys(t, 1), testManifest()
	type want struct {
		account  string
		approval int
		records  int64
		shares   string // the accounts that it is for
	}
	check := func(wants ...want) {
		t.Helper()
		got, err := Approvals(t.Context(), work, keys, nil, m, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range wants {
			a, shares := got.Lost(w.account), ""
			for _, name := range []string{"acme", "globex", ""} {
				if a.Shares != nil && a.Shares(name) {
					shares += name + ";"
				}
			}
			if a.Approval != w.approval || a.Records != w.records || shares != w.shares {
				t.Errorf("%q: approval %d of %d for %q, not %+v", w.account, a.Approval, a.Records, shares, w)
			}
		}
	}
	approve := func(lost int64, accounts ...string) {
		t.Helper()
		a := Approval{By: "jo", At: "2026-11-25T12:00:00Z", VersionsLost: &lost}
		if lost < 0 {
			a.VersionsLost = nil
		}
		if _, err := Approve(t.Context(), work, keys, nil, m, a, accounts); err != nil {
			t.Fatal(err)
		}
	}
	approve(-1)
	check(want{"acme", 0, 0, ""}, want{"", 0, 0, ""})
	approve(1, "acme")
	check(want{"acme", 2, 1, "acme;"}, want{"globex", 0, 0, ""}, want{"", 0, 0, ""})
	approve(5)
	check(want{"acme", 3, 5, "acme;globex;;"}, want{"", 3, 5, "acme;globex;;"})
	approve(2, "globex")
	check(want{"globex", 4, 2, "globex;"}, want{"acme", 3, 5, "acme;;"})
	approve(-1, "globex")
	approve(0, "globex")
	check(want{"globex", 6, 0, "globex;"}, want{"acme", 3, 5, "acme;;"})
}

// Whatever is changed in an approval, moved or made without the keys is forged.
func TestForgedApprovals(t *testing.T) {
	jo := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	eve := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))
	approvers := map[string]ed25519.PublicKey{"jo": jo.Public().(ed25519.PublicKey)}
	for _, c := range []struct {
		name   string
		keys   *seal.Keys         // that it is made with; nil: the right ones
		signer ed25519.PrivateKey // that signs it
		by     string
		change func(a *Approval)
		key    string // where it stands
		other  bool   // it is checked against another manifest
		fine   bool
		over   bool // it does not count, and is not forged
	}{
		{name: "untouched", signer: jo, by: "jo", fine: true},
		{name: "another work key", keys: testKeys(t, 2), signer: jo, by: "jo"},
		{name: "not signed", by: "jo", over: true},
		{name: "signed by another", signer: eve, by: "jo"},
		{name: "signed by nobody the config names", signer: eve, by: "eve", over: true},
		{name: "not signed, by another work key", keys: testKeys(t, 2), by: "jo"},
		{name: "by nobody the config names, of another manifest", signer: eve, by: "eve", other: true},
		{name: "another name", signer: jo, by: "jo", change: func(a *Approval) { a.By = "mo" }},
		{name: "one more account", signer: jo, by: "jo", change: func(a *Approval) { a.Accounts["globex"] = "bb" }},
		{name: "the whole", signer: jo, by: "jo", change: func(a *Approval) { a.Manifest = testManifest().Digest() }},
		{name: "earlier", signer: jo, by: "jo", change: func(a *Approval) { a.NotBefore = "" }},
		{name: "more versions", signer: jo, by: "jo", change: func(a *Approval) { n := int64(9); a.VersionsLost = &n }},
		{name: "another run", signer: jo, by: "jo", change: func(a *Approval) { a.Run = "run-2" }},
		{name: "without a MAC", signer: jo, by: "jo", change: func(a *Approval) { a.MAC = "" }},
		{name: "copied to another number", signer: jo, by: "jo", key: "runs/run-1/manifest/approvals/2.json"},
		{name: "another manifest", signer: jo, by: "jo", other: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			made, keys, m := mem.New("work", mem.Options{}), testKeys(t, 1), testManifest()
			if c.keys == nil {
				c.keys = keys
			}
			if c.key == "" {
				c.key = "runs/run-1/manifest/approvals/1.json"
			}
			_, err := Approve(t.Context(), made, c.keys, c.signer, m, Approval{By: c.by, At: "2026-11-25T12:00:00Z", NotBefore: "2026-12-01T00:00:00Z"}, []string{"acme"})
			if err != nil {
				t.Fatal(err)
			}
			var a Approval
			if err := json.Unmarshal(get(t, made, "runs/run-1/manifest/approvals/1.json"), &a); err != nil {
				t.Fatal(err)
			}
			if c.change != nil {
				c.change(&a)
			}
			b, err := json.Marshal(&a)
			if err != nil {
				t.Fatal(err)
			}
			store := mem.New("work", mem.Options{})
			if _, err := store.Create(context.Background(), c.key, bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
			if c.other {
				m.Accounts["acme"].SHA256 = "cc"
			}
			got, err := Approvals(t.Context(), store, keys, approvers, m, 0)
			if c.fine {
				if err != nil {
					t.Fatal(err)
				}
				if _, ok := got.Account("acme"); !ok {
					t.Error("not approved")
				}
				return
			}
			if c.over {
				if err != nil {
					t.Fatal(err)
				}
				if _, ok := got.Account("acme"); ok || len(got.Approvals) > 0 || len(got.PassedOver) != 1 || got.Why("acme") == "" || got.Why("globex") != "" {
					t.Errorf("it counts: %+v", got)
				}
			} else if !errors.Is(err, ErrForged) {
				t.Errorf("taken: %v", err)
			}
		})
	}
}

func get(t *testing.T, s connectors.Store, key string) []byte {
	t.Helper()
	body, err := s.Open(t.Context(), connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAMissingApprovalIsTold: whichever file is taken away, it is missed, the last one by
// who knows how many there were; unless all that was approved before was withdrawn since.
func TestAMissingApprovalIsTold(t *testing.T) {
	const given = 4
	for withdrawn := range given + 1 { // that number is a withdrawal; 0: none is
		for gone := 1; gone <= given; gone++ {
			for known := range given + 1 {
				work, keys, m := mem.New("work", mem.Options{}), testKeys(t, 1), testManifest()
				for n := 1; n <= given; n++ {
					if _, err := Approve(t.Context(), work, keys, nil, m, Approval{By: "jo", At: "2026-11-25T12:00:00Z", Withdrawn: n == withdrawn}, nil); err != nil {
						t.Fatal(err)
					}
				}
				ref, err := output.Find(t.Context(), work, fmt.Sprintf("%s%d.json", approvalsDir(m.Run), gone))
				if err != nil {
					t.Fatal(err)
				}
				if err := work.Delete(t.Context(), ref); err != nil {
					t.Fatal(err)
				}
				_, err = Approvals(t.Context(), work, keys, nil, m, known)
				told := gone < given || known == given
				if withdrawn > gone {
					told = false
				}
				if told != errors.Is(err, ErrLost) || told != strings.Contains(fmt.Sprint(err), fmt.Sprintf("%d.json: ", gone)) {
					t.Errorf("approval %d of %d is gone, %d withdraws, known %d: %v", gone, given, withdrawn, known, err)
				}
			}
		}
	}
}

// A withdrawal takes back what was approved before of the accounts that it covers, whoever
// is an approver by now; what is approved after it counts.
func TestWithdrawal(t *testing.T) {
	work, keys, m := mem.New("work", mem.Options{}), testKeys(t, 1), testManifest()
	lost := int64(3)
	approve := func(withdrawn bool, accounts ...string) {
		t.Helper()
		a := Approval{By: "jo", At: "2026-11-25T12:00:00Z", Withdrawn: withdrawn}
		if !withdrawn {
			a.NotBefore, a.VersionsLost = "2026-12-24T00:00:00Z", &lost
		}
		if _, err := Approve(t.Context(), work, keys, nil, m, a, accounts); err != nil {
			t.Fatal(err)
		}
	}
	check := func(acme, globex bool, by ...int) *Approved {
		t.Helper()
		got, err := Approvals(t.Context(), work, keys, nil, m, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, a := got.Account("acme")
		_, g := got.Account("globex")
		if a != acme || g != globex || !slices.Equal(got.By("globex"), by) || (got.Lost("globex").Records > 0) != globex || got.Any() != (acme || globex) {
			t.Errorf("acme %v, globex %v by %v, %d may be lost", a, g, got.By("globex"), got.Lost("globex").Records)
		}
		return got
	}
	approve(false)
	check(true, true, 1)
	approve(true, "acme")
	check(false, true, 1)
	approve(false, "acme")
	check(true, true, 1)
	approve(true)
	if why := check(false, false).Why("acme"); !strings.Contains(why, "withdrawn by jo") {
		t.Errorf("it does not say who took it back: %q", why)
	}
	approve(false, "globex")
	check(false, true, 5)
	approve(true, "globex")
	check(false, false)
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Approvals(t.Context(), work, keys, map[string]ed25519.PublicKey{"al": public}, m, 0)
	if err != nil || got.Any() || got.Why("globex") == "" {
		t.Errorf("when who withdrew has left: %v, %v", got, err)
	}
}
