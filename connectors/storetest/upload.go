package storetest

import (
	"errors"
	"fmt"
	"slices"

	"expunge/connectors"
)

func uploadLaws() []law {
	return []law{
		{"Uploads/those of exactly the key are shown", false, uploadsOfKey},
		{"Uploads/one is given up alone", false, uploadsAbort},
		{"Uploads/giving up what is not there is ErrNotFound", false, uploadsNone},
		{"Uploads/are no objects", false, uploadsHidden},
	}
}

// uploader is the store as an Uploader; nil where it documents to be none.
func (e *env) uploader() (connectors.Uploader, error) {
	u, ok := e.s.(connectors.Uploader)
	if ok != (e.opt.Begin != nil) {
		return nil, fmt.Errorf("the store is an Uploader: %t, and should be: %t", ok, e.opt.Begin != nil)
	}
	return u, nil
}

// begin begins n uploads at key and returns their ids in order.
func (e *env) begin(key string, n int) ([]string, error) {
	var ids []string
	for i := range n {
		id, err := e.opt.Begin(e.s, key, fmt.Appendf(nil, "part of upload %d", i))
		if err != nil {
			return nil, fmt.Errorf("begin an upload at %q: %w", key, err)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// unfinished checks which uploads a key has.
func (e *env) unfinished(u connectors.Uploader, key string, want []string) error {
	all, err := u.Uploads(e.ctx, key)
	if err != nil {
		return fmt.Errorf("uploads of %q: %w", key, err)
	}
	var got []string
	for _, up := range all {
		got = append(got, up.ID)
		if up.Key != key || up.Begun.IsZero() || up.Written.IsZero() || up.Idle().Before(up.Begun) || up.Idle().Before(up.Written) {
			return fmt.Errorf("upload %q of %q: key %q, begun %v, written %v, idle since %v", up.ID, key, up.Key, up.Begun, up.Written, up.Idle())
		}
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("uploads of %q: %q, want %q", key, got, want)
	}
	return nil
}

func uploadsOfKey(e *env) error {
	u, err := e.uploader()
	if u == nil {
		return err
	}
	keys := []string{"dir/k", "dir/k-", "dir/kk", "dir/k/below", "dir/K", "di", "other"}
	want := map[string][]string{}
	for i, key := range keys {
		if want[key], err = e.begin(key, i%3); err != nil {
			return err
		}
	}
	if want["dir/k"], err = e.begin("dir/k", 2); err != nil {
		return err
	}
	var errs []error
	for _, key := range append(keys, "dir", "dir/", "none") {
		errs = append(errs, e.unfinished(u, key, want[key]))
	}
	return errors.Join(errs...)
}

func uploadsAbort(e *env) error {
	u, err := e.uploader()
	if u == nil {
		return err
	}
	if _, err := e.put("dir/k", []byte("an object")); err != nil {
		return err
	}
	ids, err := e.begin("dir/k", 3)
	if err != nil {
		return err
	}
	others, err := e.begin("dir/kk", 1)
	if err != nil {
		return err
	}
	if err := u.Abort(e.ctx, connectors.Upload{Key: "dir/k", ID: ids[1]}); err != nil {
		return fmt.Errorf("give up an upload: %w", err)
	}
	return errors.Join(e.unfinished(u, "dir/k", []string{ids[0], ids[2]}), e.unfinished(u, "dir/kk", others), e.holds("dir/k", []byte("an object")))
}

func uploadsNone(e *env) error {
	u, err := e.uploader()
	if u == nil {
		return err
	}
	ids, err := e.begin("dir/k", 1)
	if err != nil {
		return err
	}
	up := connectors.Upload{Key: "dir/k", ID: ids[0]}
	errs := []error{
		fails("give up another key's upload", "dir/kk", u.Abort(e.ctx, connectors.Upload{Key: "dir/kk", ID: up.ID}), connectors.ErrNotFound),
		e.unfinished(u, "dir/k", ids),
		u.Abort(e.ctx, up),
		fails("give up twice", "dir/k", u.Abort(e.ctx, up), connectors.ErrNotFound),
		e.unfinished(u, "dir/k", nil),
	}
	return errors.Join(errs...)
}

func uploadsHidden(e *env) error {
	u, err := e.uploader()
	if u == nil {
		return err
	}
	if _, err := e.begin("dir/k", 1); err != nil {
		return err
	}
	return errors.Join(e.gone("dir/k"), e.wantCount("", 0))
}
