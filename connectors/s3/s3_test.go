package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"expunge/connectors"
	"expunge/connectors/storetest"
	"expunge/testdata/s3server"
)

var server *s3server.Server // one runs per process; set by TestMain only

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "s3test")
	if err != nil {
		log.Fatal(err)
	}
	server, err = s3server.Start(context.Background(), dir, s3server.Options{})
	if err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	if err := server.Close(); err != nil {
		log.Print(err)
		code = 1
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

var buckets atomic.Int64

func local(t *testing.T, versioned bool, change func(*Options)) *Store {
	t.Helper()
	bucket := fmt.Sprintf("test-%d", buckets.Add(1))
	if err := server.CreateBucket(t.Context(), bucket, versioned); err != nil {
		t.Fatal(err)
	}
	opt := Options{Name: "lake", Bucket: bucket, Endpoint: server.Endpoint, PathStyle: true, Region: server.Region, Versions: versioned,
		AccessKey: server.AccessKey, SecretKey: server.SecretKey, PartSize: minPart, Concurrency: 4}
	if change != nil {
		change(&opt)
	}
	s, err := New(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// refuses names the keys that Create documents to refuse and, with a "/" at its
// end, what versitygw cannot hold: a folder with bytes in it.
func refuses(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// overMarkers stands in for what S3 does and versitygw does not: an object can be
// created where the current version is a delete marker.
type overMarkers struct{ *Store }

func (s overMarkers) Create(ctx context.Context, key string, body io.ReadSeeker) (connectors.Object, error) {
	o, err := s.Store.Create(ctx, key, body)
	if !errors.Is(err, connectors.ErrUnsupported) || !strings.Contains(err.Error(), "delete marker") {
		return o, err
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return o, err
	}
	put, err := server.Client().PutObject(ctx, &s3.PutObjectInput{Bucket: s.bucket(), Key: s.key(key), Body: body})
	if err != nil {
		return o, err
	}
	for o, err := range s.List(ctx, key) {
		if err != nil || (o.Key == key && o.ETag == bare(*put.ETag)) {
			return o, err
		}
	}
	return o, errors.New("what was put is not listed")
}

// dressed puts the object anew with all that the server keeps beside the bytes.
func dressed(store connectors.Store, key string) (func(key string) (string, error), error) {
	var s *Store
	switch v := store.(type) {
	case *Store:
		s = v
	case overMarkers:
		s = v.Store
	}
	ctx := context.Background()
	body, err := s.Open(ctx, connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	_, err = server.Client().PutObject(ctx, &s3.PutObjectInput{
		Bucket: s.bucket(), Key: s.key(key), Body: bytes.NewReader(b), Metadata: map[string]string{"loader": "v7", "odd": "a b=c"},
		ContentType: aws.String("application/x-ndjson"), ContentEncoding: aws.String("gzip"), CacheControl: aws.String("no-store"),
		ContentDisposition: aws.String("attachment"), ContentLanguage: aws.String("en"), Tagging: aws.String("team=calls&note=a%20b%2Bc%3Dd"),
		Expires: aws.Time(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)),
	})
	look := func(key string) (string, error) {
		h, err := server.Client().HeadObject(ctx, &s3.HeadObjectInput{Bucket: s.bucket(), Key: s.key(key)})
		if err != nil {
			return "", err
		}
		tags, err := server.Client().GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: s.bucket(), Key: s.key(key)})
		if err != nil {
			return "", err
		}
		got := []string{fmt.Sprint(h.Metadata), *h.ContentType, *h.ContentEncoding, *h.CacheControl, *h.ContentDisposition, *h.ContentLanguage, *h.ExpiresString}
		for _, tag := range tags.TagSet {
			got = append(got, *tag.Key+"="+*tag.Value)
		}
		slices.Sort(got)
		return strings.Join(got, "; "), nil
	}
	return look, err
}

func TestLaws(t *testing.T) {
	for name, c := range map[string]struct {
		versioned, shown bool
		prefix           string
	}{"plain": {false, false, ""}, "plain below a prefix": {false, false, "some/folder"}, "versioned": {true, true, ""}, "plain, versions shown": {false, true, ""}} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) connectors.Store {
				s := local(t, c.versioned, func(o *Options) { o.Prefix, o.Versions = c.prefix, c.shown })
				if c.versioned {
					return overMarkers{s}
				}
				return s
			}, storetest.Options{Versions: c.versioned, Tree: true, Refuses: refuses, Dress: dressed, Begin: begun})
		})
	}
}

// Versions that S3 cannot protect by a condition, and objects under a lock.
func TestDeleteRefuses(t *testing.T) {
	ctx := t.Context()
	s := local(t, false, func(o *Options) { o.Versions = true })
	old, err := s.Create(ctx, "k", strings.NewReader("before versions"))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.SetVersioning(ctx, s.opt.Bucket, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Replace(ctx, old.Ref, connectors.Patch{Pieces: []connectors.Piece{{Len: 3}}}); err != nil {
		t.Fatal(err)
	}
	old.Version = "null"
	if err := s.Delete(ctx, old.Ref); !errors.Is(err, connectors.ErrNull) {
		t.Errorf("delete a null version that is not current: %v", err)
	}
	if err := s.Delete(ctx, connectors.Ref{Key: "k", Version: "null"}); !errors.Is(err, connectors.ErrNull) {
		t.Errorf("delete a marker without an id: %v", err)
	}
	if r, err := s.Open(ctx, old.Ref, connectors.All); err != nil {
		t.Errorf("the null version is gone: %v", err)
	} else {
		r.Close()
	}

	bucket := "locked-1"
	if err := server.CreateLockedBucket(ctx, bucket); err != nil {
		t.Fatal(err)
	}
	s = local(t, true, func(o *Options) { o.Bucket = bucket })
	o, err := s.Create(ctx, "k", strings.NewReader("held"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.Client().PutObjectLegalHold(ctx, &s3.PutObjectLegalHoldInput{Bucket: &bucket, Key: aws.String("k"), VersionId: &o.Version,
		LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOn}})
	if err != nil {
		t.Fatal(err)
	}
	var lock *connectors.LockError
	if err := s.Delete(ctx, o.Ref); !errors.Is(err, connectors.ErrHeld) || !errors.As(err, &lock) || !lock.Hold || lock.Mode != "" || !lock.Until.IsZero() {
		t.Errorf("delete a held version: %v", err)
	}
	until := time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)
	_, err = server.Client().PutObjectRetention(ctx, &s3.PutObjectRetentionInput{Bucket: &bucket, Key: aws.String("k"), VersionId: &o.Version,
		Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeCompliance, RetainUntilDate: &until}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, o.Ref); !errors.As(err, &lock) || !lock.Hold || lock.Mode != "COMPLIANCE" || !lock.Until.Equal(until) {
		t.Errorf("delete a version under retention: %v", err)
	}
	if now, err := s.Replace(ctx, o.Ref, connectors.Patch{Pieces: []connectors.Piece{{Len: 2}}}); err != nil || now.Version == o.Version {
		t.Errorf("replace a locked object: %+v, %v", now, err) // it makes a version; the locked one stays
	}
	if set, err := s.Check(ctx); err != nil || set.ObjectLock != On {
		t.Errorf("check of a locked bucket: %+v, %v", set, err)
	}
}

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]string{"s3://b": "b||s3://b", "s3://b/": "b||s3://b", "s3://b/a/c%20d": "b|a/c d/|s3://b/a/c%20d", "s3://b/a/": "b|a/|s3://b/a"} {
		bucket, prefix, err := ParseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		s, err := New(t.Context(), Options{Bucket: bucket, Prefix: prefix, AccessKey: "a", SecretKey: "b"})
		if err != nil {
			t.Fatal(err)
		}
		if got := bucket + "|" + prefix + "|" + s.URL(); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
	for _, raw := range []string{"", "b/c", "s3://", "s3:///k", "file:///x", "s3://b/a?x=1", "s3://b/%zz"} {
		if _, _, err := ParseURL(raw); err == nil {
			t.Errorf("%q was taken for a store", raw)
		}
	}
}
