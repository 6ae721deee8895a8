package manifest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"expunge/connectors"
	"expunge/pipeline/journal"
	"expunge/pipeline/seal"
)

// ErrLost says that an approval was there before: it may have held something back.
var ErrLost = errors.New("the approval was there before, and may have held something back: put its file back from a copy of the work store, or take all of them back (`expunge approve RUN --withdraw`) and approve anew")

// ErrNoPart says that a manifest has nothing of an account.
var ErrNoPart = errors.New("nothing of this account is in the manifest")

// Approval is one approvals/<n>.json. It names digests, so that it approves what
// was seen and nothing else. Whoever can write to the work store cannot make one:
// it is authenticated under the work key and, where approvers are configured,
// signed by one of them.
type Approval struct {
	Version      int               `json:"version"`
	N            int               `json:"n"`
	Run          string            `json:"run"`
	By           string            `json:"by"`
	At           string            `json:"at"`
	Manifest     string            `json:"manifest,omitempty"`  // the whole
	Accounts     map[string]string `json:"accounts,omitempty"`  // or the parts of these
	Withdrawn    bool              `json:"withdrawn,omitempty"` // it takes back what was approved of these before
	NotBefore    string            `json:"not_before,omitempty"`
	VersionsLost *int64            `json:"versions_lost,omitempty"` // survivors in old versions that may go, of all that it approves together; nil: as approved before
	Holds        int               `json:"holds,omitempty"`         // the highest number of legal holds that there was
	Signature    string            `json:"signature,omitempty"`     // Ed25519, base64
	MAC          string            `json:"mac,omitempty"`
}

// signed is what a signature is over: all but itself and the MAC.
func (a Approval) signed() []byte {
	a.Signature, a.MAC = "", ""
	b, _ := json.Marshal(&a) // plain strings and numbers
	return append([]byte("expunge approval 1\n"), b...)
}

// authenticated is what the MAC is over: all but itself.
func (a Approval) authenticated() []byte {
	a.MAC = ""
	b, _ := json.Marshal(&a)
	return b
}

// Approve adds an approval of the parts of a manifest that belong to accounts, or
// of the whole without any, and returns it. With a signer it is signed. Its number is the
// next one, and no less than the N that it is given with.
func Approve(ctx context.Context, work connectors.Store, keys *seal.Keys, signer ed25519.PrivateKey, m *Manifest, a Approval, accounts []string) (*Approval, error) {
	a.Version, a.Run = 1, m.Run
	if len(accounts) == 0 {
		a.Manifest = m.Digest()
	} else {
		a.Accounts = map[string]string{}
	}
	for _, name := range accounts {
		part := m.Accounts[name]
		if part == nil {
			return nil, fmt.Errorf("manifest of run %s, account %q: %w; it has: %s", m.Run, name, ErrNoPart, strings.Join(slices.Sorted(maps.Keys(m.Accounts)), ", "))
		}
		a.Accounts[name] = part.SHA256
	}
	n := max(1, a.N)
	for o, err := range work.List(ctx, approvalsDir(m.Run)) {
		if err != nil {
			return nil, fmt.Errorf("list approvals: %w", err)
		}
		if there, err := strconv.Atoi(strings.TrimSuffix(path.Base(o.Key), ".json")); err == nil {
			n = max(n, there+1)
		}
	}
	for ; ; n++ {
		a.N = n
		if signer != nil {
			a.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(signer, a.signed()))
		}
		a.MAC = keys.Authenticate("approval", a.authenticated())
		b, err := a.encode()
		if err != nil {
			return nil, err
		}
		_, err = work.Create(ctx, fmt.Sprintf("%s%d.json", approvalsDir(m.Run), n), bytes.NewReader(b))
		if errors.Is(err, connectors.ErrExists) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("write approval: %w", err)
		}
		return &a, nil
	}
}

// encode is what the approval's file holds.
func (a *Approval) encode() ([]byte, error) {
	b, err := json.MarshalIndent(a, "", "  ")
	return append(b, '\n'), err
}

func approvalsDir(run string) string { return dir(run) + "approvals/" }

// Approved is what the approvals of a manifest add up to.
type Approved struct {
	Approvals  []Approval           // that count, in order, withdrawals among them
	PassedOver []PassedOver         // that do not count, in order
	accounts   map[string]bool      // that are approved, whole manifests spelt out
	by         map[string][]int     // by account, the approvals that cover it, but what was withdrawn
	withdrawn  map[string]*Approval // by account, the last withdrawal
	notBefore  map[string]time.Time // by account; absent: at once
	lost       map[string]*Approval // by account, the last that says how many survivors may go; "": objects of which the key does not say whose they are
}

// Lost is how many survivors may go with old versions of an account's objects: the number
// of the last approval that covers the account and has one. That is of all accounts
// together for which it is the last. With account "", of objects whose key does not say
// whose they are, only an approval of the whole manifest counts.
func (a *Approved) Lost(account string) journal.Allowance {
	of := a.lost[account]
	if of == nil {
		return journal.Allowance{}
	}
	return journal.Allowance{Approval: of.N, Records: *of.VersionsLost, Shares: func(account string) bool { return a.lost[account] == of }}
}

// PassedOver is an approval that was made with the work key, and that no approver of
// the config stands for: another one may be added.
type PassedOver struct {
	Approval
	Why string
}

// covers reports whether an approval is of the part of an account.
func (a *Approval) covers(account string) bool {
	_, named := a.Accounts[account]
	return named || a.Manifest != ""
}

// Why says what of an account's part was withdrawn, and which approvals of it do not count,
// and why not; "" where there is nothing of that.
func (a *Approved) Why(account string) string {
	var out []string
	if w := a.withdrawn[account]; w != nil {
		out = append(out, fmt.Sprintf("what was approved of it was withdrawn by %s at %s", w.By, w.At))
	}
	for i := range a.PassedOver {
		if p := &a.PassedOver[i]; p.covers(account) {
			out = append(out, fmt.Sprintf("approval %d by %s does not count: %s", p.N, p.By, p.Why))
		}
	}
	return strings.Join(out, "; ")
}

// Any reports whether the part of some account is approved.
func (a *Approved) Any() bool { return len(a.accounts) > 0 }

// By are the numbers of the approvals under which the part of an account stands.
func (a *Approved) By(account string) []int { return a.by[account] }

// Highest is the highest number of an approval, whether it counts or not.
func (a *Approved) Highest() int {
	highest := 0
	for i := range a.Approvals {
		highest = max(highest, a.Approvals[i].N)
	}
	for i := range a.PassedOver {
		highest = max(highest, a.PassedOver[i].N)
	}
	return highest
}

// Missing names the first approval that is missing, as ErrLost; known is the highest number
// that is noted of one. What was there before all was withdrawn says nothing any more.
func (a *Approved) Missing(run string, known int) error {
	there := map[int]bool{}
	from := 1
	for i := range a.Approvals {
		x := &a.Approvals[i]
		if there[x.N] = true; x.Withdrawn && x.Manifest != "" {
			from = x.N
		}
	}
	for i := range a.PassedOver {
		there[a.PassedOver[i].N] = true
	}
	for n := from; n <= max(known, a.Highest()); n++ {
		if !there[n] {
			return fmt.Errorf("%s%d.json: %w", approvalsDir(run), n, ErrLost)
		}
	}
	return nil
}

// Account reports whether the part of an account is approved, and from when on.
// The time is zero where it may begin at once.
func (a *Approved) Account(name string) (from time.Time, ok bool) {
	return a.notBefore[name], a.accounts[name]
}

// Approvals reads the approvals of a manifest and checks each: that it was made
// with the work key, that it approves this manifest, and, where there are
// approvers, that the one it names has signed it. One that fails is ErrForged:
// somebody is at work in the store, and nothing is to be erased on its word. One that
// names nobody of approvers, or that was not signed at all, is passed over: its approver
// has left, or there were none yet when it was made. A withdrawal counts all the same. One
// that is missing is ErrLost, and the others come with it; known is the highest number
// that is noted of one.
func Approvals(ctx context.Context, work connectors.Store, keys *seal.Keys, approvers map[string]ed25519.PublicKey, m *Manifest, known int) (*Approved, error) {
	out := &Approved{accounts: map[string]bool{}, by: map[string][]int{}, withdrawn: map[string]*Approval{}, notBefore: map[string]time.Time{}, lost: map[string]*Approval{}}
	for o, err := range work.List(ctx, approvalsDir(m.Run)) {
		if err != nil {
			return nil, fmt.Errorf("list approvals: %w", err)
		}
		a, err := readApproval(ctx, work, o.Key)
		if err != nil {
			return nil, err
		}
		why := a.wrong(keys, m, o.Key)
		over := ""
		if why == "" {
			over, why = a.unsigned(approvers)
		}
		switch {
		case why != "":
			return nil, fmt.Errorf("%s: %s: %w", o.Key, why, ErrForged)
		case over != "" && !a.Withdrawn:
			out.PassedOver = append(out.PassedOver, PassedOver{*a, over})
		default:
			out.Approvals = append(out.Approvals, *a)
		}
	}
	slices.SortFunc(out.Approvals, func(a, b Approval) int { return a.N - b.N }) // 10 comes before 2 in a listing
	slices.SortFunc(out.PassedOver, func(a, b PassedOver) int { return a.N - b.N })
	for i, a := range out.Approvals {
		names := slices.Collect(maps.Keys(a.Accounts))
		if a.Manifest != "" {
			names = slices.Collect(maps.Keys(m.Accounts))
		}
		from, _ := time.Parse(time.RFC3339, a.NotBefore)
		if a.Withdrawn {
			for _, name := range append(names, "") {
				if name == "" && a.Manifest == "" {
					continue // of an account alone
				}
				delete(out.accounts, name)
				delete(out.by, name)
				delete(out.notBefore, name)
				delete(out.lost, name)
				out.withdrawn[name] = &out.Approvals[i]
			}
			continue
		}
		for _, name := range names {
			out.accounts[name] = true
			out.by[name] = append(out.by[name], a.N)
			delete(out.withdrawn, name)
			if a.NotBefore != "" {
				out.notBefore[name] = from
			}
		}
		if a.VersionsLost == nil {
			continue
		}
		if a.Manifest != "" {
			names = append(names, "")
		}
		for _, name := range names {
			out.lost[name] = &out.Approvals[i]
		}
	}
	return out, out.Missing(m.Run, known)
}

func readApproval(ctx context.Context, work connectors.Store, key string) (*Approval, error) {
	b, err := connectors.ReadAll(ctx, work, key)
	if err != nil {
		return nil, err
	}
	return decodeApproval(key, b)
}

func decodeApproval(key string, b []byte) (*Approval, error) {
	a := new(Approval)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(a); err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", key, ErrForged, err)
	}
	return a, nil
}

// unsigned says why an approval does not count that an approver would have to stand for,
// or what is wrong with its signature; both are "" if nothing is.
func (a *Approval) unsigned(approvers map[string]ed25519.PublicKey) (over, wrong string) {
	if len(approvers) == 0 {
		return "", ""
	}
	public, known := approvers[a.By]
	switch {
	case !known:
		return fmt.Sprintf("the config has no approver %s", a.By), ""
	case a.Signature == "":
		return "it is not signed, as there were no approvers in the config when it was made", ""
	}
	signature, err := base64.StdEncoding.DecodeString(a.Signature)
	if err != nil || !ed25519.Verify(public, a.signed(), signature) {
		return "", fmt.Sprintf("approver %s has not signed it with the key that the config has; if that was renewed, the config has to give it another name", a.By)
	}
	return "", ""
}

// wrong says what is wrong with an approval, its signature apart, "" if nothing is.
func (a *Approval) wrong(keys *seal.Keys, m *Manifest, key string) string {
	if keys.Verify("approval", a.authenticated(), a.MAC) != nil {
		return "it was not made with the work key"
	}
	if a.Run != m.Run || key != approvalsDir(m.Run)+strconv.Itoa(a.N)+".json" {
		return "it is of another place"
	}
	if a.Manifest != "" && a.Manifest != m.Digest() {
		return "it approves another manifest"
	}
	for name, digest := range a.Accounts {
		if part := m.Accounts[name]; part == nil || part.SHA256 != digest {
			return fmt.Sprintf("it approves another manifest's part of account %s", name)
		}
	}
	if _, err := time.Parse(time.RFC3339, a.NotBefore); a.NotBefore != "" && err != nil {
		return "its not_before is no time"
	}
	if a.VersionsLost != nil && *a.VersionsLost < 0 {
		return "its versions_lost is no number of records"
	}
	return ""
}
