package s3

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"expunge/connectors"
)

// Conditions says which conditions a server was seen to honour. A writer of lake
// data needs all of them.
type Conditions struct {
	Create    bool // PUT with If-None-Match
	Replace   bool // PUT with If-Match
	Complete  bool // completing an upload with If-Match
	Copy      bool // copying a part with x-amz-copy-source-if-match
	Delete    bool // DELETE with If-Match
	Versioned bool // what the probe wrote got version ids

	// Left is the key of an object that the probe wrote and that the store does not let go
	// of, since it locks what is written or denies that versions are deleted; later probes
	// try the same object. "" where nothing stays that was not there before.
	Left string
}

// All reports whether every condition was honoured.
func (c Conditions) All() bool { return c.Create && c.Replace && c.Complete && c.Copy && c.Delete }

const (
	probeName  = "conditions"
	wrongETag  = "00000000000000000000000000000000"
	probeNames = 20 // tried, in case earlier probes died and left theirs
	probeTries = 4  // of a probe whose object somebody else's Sweep took for one that was left
)

// Probe writes an object below scratch, in a folder own of the caller's, tries what a
// stale writer would do, and removes it. Nothing but what probes write may lie below
// scratch: an object that an earlier one has left there is tried in place of a new one, and
// stays. Each condition is judged by what became of the object, not by the reply alone.
// Several processes may probe and sweep below one scratch: a store that holds to its
// conditions says so once, one that does not says the same each time.
func (s *Store) Probe(ctx context.Context, scratch, own string) (c Conditions, err error) {
	var key, left string
	for range probeTries {
		c, key, err = s.probe(ctx, scratch, own)
		left = cmp.Or(left, c.Left)
		if err == nil && c.All() || err != nil && !gone(err) {
			break
		}
	}
	c.Left = left
	return c, s.fail("probe conditions at", key, err)
}

var probeBody = []byte("expunge probes conditions")

func (s *Store) probe(ctx context.Context, scratch, own string) (c Conditions, key string, err error) {
	key, err = s.earlier(ctx, scratch)
	created := false
	if err == nil && key == "" {
		key, err = s.createProbe(ctx, scratch+own+"/")
		created = err == nil
	}
	if err != nil {
		return c, key, err
	}
	defer func() {
		ctx := context.WithoutCancel(ctx)
		if err != nil && !gone(err) { // servers have many words for a source that is not there
			if r, there := s.open(ctx, connectors.Ref{Key: key}, connectors.All); there == nil {
				r.Close()
			} else if gone(there) {
				err = fmt.Errorf("%w: %w", connectors.ErrNotFound, err)
			}
		}
		if created {
			left, swept := s.sweep(ctx, key)
			if left {
				c.Left = key
			}
			err = errors.Join(err, swept)
		}
	}()

	kept := func(what string, tried error) (bool, error) {
		if tried != nil && !refused(tried) {
			return false, fmt.Errorf("%s: %w", what, tried)
		}
		as, err := s.asProbed(ctx, key)
		return tried != nil && as, err
	}

	stale := []byte("a stale writer was here")
	_, tried := s.put(ctx, key, section(stale), int64(len(stale)), &dress{}, condition{absent: true})
	if c.Create, err = kept("create again", tried); err != nil {
		return c, key, err
	}
	_, tried = s.put(ctx, key, section(stale), int64(len(stale)), &dress{}, condition{etag: wrongETag})
	if c.Replace, err = kept("replace with a wrong ETag", tried); err != nil {
		return c, key, err
	}
	parts := []piece{{len: int64(len(stale))}}
	_, tried = s.multipart(ctx, key, connectors.Ref{}, parts, func(piece) ([]byte, error) { return stale, nil }, &dress{}, condition{etag: wrongETag}, nil)
	if c.Complete, err = kept("complete an upload with a wrong ETag", tried); err != nil {
		return c, key, err
	}
	// The upload goes to a key of its own and is given up, so that only the copy is judged.
	if c.Copy, err = s.probeCopy(ctx, key, int64(len(probeBody))); err != nil {
		return c, key, err
	}
	out, tried := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: s.bucket(), Key: s.key(key), IfMatch: quoted(wrongETag)})
	if c.Delete, err = kept("delete with a wrong ETag", allow(tried, "s3:DeleteObject")); err != nil {
		return c, key, err
	}
	c.Versioned = out != nil && out.VersionId != nil
	if head, headErr := s.head(ctx, connectors.Ref{Key: key}); headErr == nil && head.VersionId != nil {
		c.Versioned = *head.VersionId != "null"
	}
	return c, key, nil
}

// earlier is the key of an object that an earlier probe has left below scratch and that is
// as it was written; "" if there is none.
func (s *Store) earlier(ctx context.Context, scratch string) (string, error) {
	for o, err := range s.List(ctx, scratch) {
		if err != nil {
			return "", err
		}
		if !probed(o.Key) {
			continue
		}
		if as, err := s.asProbed(ctx, o.Key); as || err != nil {
			return o.Key, err
		}
	}
	return "", nil
}

func probed(key string) bool { return strings.HasPrefix(path.Base(key), probeName+"-") }

// createProbe writes the object that is tried.
func (s *Store) createProbe(ctx context.Context, below string) (key string, err error) {
	for i := range probeNames {
		key = fmt.Sprintf("%s%s-%d", below, probeName, i)
		if _, err = s.Create(ctx, key, bytes.NewReader(probeBody)); !errors.Is(err, connectors.ErrExists) && !errors.Is(err, connectors.ErrUnsupported) {
			break
		}
	}
	return key, err
}

// asProbed tells that the current object is there and as the probe wrote it.
func (s *Store) asProbed(ctx context.Context, key string) (bool, error) {
	r, err := s.open(ctx, connectors.Ref{Key: key}, connectors.All)
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	return bytes.Equal(got, probeBody), err
}

func refused(err error) bool { return errors.Is(classify(err), connectors.ErrChanged) }

func (s *Store) probeCopy(ctx context.Context, key string, size int64) (bool, error) {
	up, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: s.bucket(), Key: s.key(key)})
	if err != nil {
		return false, err
	}
	one := int32(1)
	_, tried := s.copyPart(ctx, key, connectors.Ref{Key: key, ETag: wrongETag}, up.UploadId, &one, piece{copied: true, len: size})
	_, err = s.client.AbortMultipartUpload(context.WithoutCancel(ctx), &s3.AbortMultipartUploadInput{Bucket: s.bucket(), Key: s.key(key), UploadId: up.UploadId})
	if err == nil && tried != nil && !refused(tried) {
		err = tried
	}
	return tried != nil, err
}

// Sweep removes what probes that were killed left below scratch: all versions of it, but
// those that the store does not let go of.
func (s *Store) Sweep(ctx context.Context, scratch string) error {
	keys := map[string]bool{}
	for v, err := range s.Versions(ctx, scratch) {
		if err != nil {
			return s.fail("sweep", scratch, err)
		}
		if probed(v.Key) {
			keys[v.Key] = true
		}
	}
	for key := range keys {
		if _, err := s.sweep(ctx, key); err != nil {
			return s.fail("sweep", key, err)
		}
	}
	return nil
}

// sweep removes what the probe wrote, its uploads first where they may be listed, then
// all versions of it, and the marker that some servers leave in their place. The key is
// the probe's own. It tells whether the store keeps a version of it back.
func (s *Store) sweep(ctx context.Context, key string) (left bool, err error) {
	uploads, err := s.Uploads(ctx, key)
	if err != nil && !errors.Is(err, connectors.ErrDenied) && !errors.Is(err, connectors.ErrUnsupported) {
		return left, fmt.Errorf("clean up: %w", err)
	}
	for _, u := range uploads {
		if err := s.Abort(ctx, u); err != nil && !gone(err) {
			return left, fmt.Errorf("clean up: %w", err)
		}
	}
	for range probeTries {
		var all []connectors.Version
		for v, err := range s.Versions(ctx, key) {
			if err != nil {
				return left, fmt.Errorf("clean up: %w", err)
			}
			if v.Key == key {
				all = append(all, v)
			}
		}
		again := false
		left = false
		for _, v := range all {
			err := s.delete(ctx, v.Ref)
			if errors.Is(err, connectors.ErrNull) && v.Deleted {
				// Where versioning is suspended the object leaves a marker without an id, which
				// no condition can name. Nobody else writes this key, and a marker holds nothing.
				_, err = s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: s.bucket(), Key: s.key(key), VersionId: &v.Version})
			}
			if keeps(err) {
				left = true
				continue
			}
			if err != nil && !gone(err) {
				return left, fmt.Errorf("clean up version %q: %w", v.Version, err)
			}
			again = again || v.Version == "null" && !v.Deleted
		}
		if !again {
			break
		}
	}
	return left, nil
}

// keeps tells that a bucket does not let go of a version: it is locked, or deleting it is
// denied or takes MFA.
func keeps(err error) bool {
	return slices.ContainsFunc([]error{connectors.ErrHeld, connectors.ErrDenied, connectors.ErrMFA}, func(kind error) bool {
		return errors.Is(err, kind) || errors.Is(classify(err), kind)
	})
}

// Setting is what is known of one setting of a bucket.
type Setting string

// What a Setting may be.
const (
	Unknown   Setting = "unknown" // asking is denied or not supported
	Off       Setting = "off"
	On        Setting = "on"
	Suspended Setting = "suspended" // versioning only: old versions are still there
)

// Settings are what matters to erasure in how a bucket is set up.
type Settings struct {
	Bucket        string
	Region        string
	Versioning    Setting
	MFADelete     Setting // deleting a version takes MFA, which no program has
	ObjectLock    Setting
	Retention     *Retention // by which what is written is locked at once; nil if it is not
	Replication   Setting    // copies that an erasure here does not reach
	Lifecycle     Setting    // rules that may archive or remove objects under a run
	Notifications Setting    // somebody hears of every rewrite

	// Denied are permissions, tried on one object, without which none can be rewritten.
	Denied []string
}

// Retention is a bucket's default one, of days or of years.
type Retention struct {
	Mode        string // GOVERNANCE, COMPLIANCE
	Days, Years int
}

// Check reaches the bucket and reads its settings. It fails with ErrNoStore if there
// is no such bucket and ErrDenied if it may not be listed.
func (s *Store) Check(ctx context.Context) (Settings, error) {
	set := Settings{Bucket: s.opt.Bucket}
	head, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: s.bucket()})
	if err != nil && ctx.Err() == nil { // a HEAD's reply cannot say why: some servers answer it 404 where they do not know who asks
		if _, why := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: s.bucket(), MaxKeys: aws.Int32(1)}); why != nil {
			err = why
		}
	}
	if errors.Is(classify(err), connectors.ErrNotFound) {
		err = fmt.Errorf("%w: %w", connectors.ErrNoStore, err)
	}
	if err != nil {
		return set, s.fail("reach", "", err)
	}
	if set.Region = s.client.Options().Region; head.BucketRegion != nil {
		set.Region = *head.BucketRegion
	}
	if v, err := s.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: s.bucket()}); err != nil {
		set.Versioning, set.MFADelete = Unknown, Unknown
	} else {
		set.MFADelete = setting(nil, v.MFADelete == types.MFADeleteStatusEnabled)
		set.Versioning = map[types.BucketVersioningStatus]Setting{"Enabled": On, "Suspended": Suspended}[v.Status]
		if set.Versioning == "" {
			set.Versioning = Off
		}
	}
	lock, err := s.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: s.bucket()})
	set.ObjectLock = setting(err, err == nil && lock.ObjectLockConfiguration != nil)
	if set.ObjectLock == On {
		set.Retention = retention(lock.ObjectLockConfiguration.Rule)
	}
	replication, err := s.client.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: s.bucket()})
	set.Replication = setting(err, err == nil && replication.ReplicationConfiguration != nil && len(replication.ReplicationConfiguration.Rules) > 0)
	lifecycle, err := s.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: s.bucket()})
	set.Lifecycle = setting(err, err == nil && len(lifecycle.Rules) > 0)
	n, err := s.client.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: s.bucket()})
	set.Notifications = setting(err, err == nil && (len(n.TopicConfigurations)+len(n.QueueConfigurations)+len(n.LambdaFunctionConfigurations) > 0 || n.EventBridgeConfiguration != nil))
	set.Denied = s.undressed(ctx)
	return set, s.fail("check", "", ctx.Err())
}

func retention(rule *types.ObjectLockRule) *Retention {
	if rule == nil || rule.DefaultRetention == nil {
		return nil
	}
	d := rule.DefaultRetention
	return &Retention{string(d.Mode), int(aws.ToInt32(d.Days)), int(aws.ToInt32(d.Years))}
}

// undressed is what has to be allowed so that what stands beside the bytes of an object,
// the first of the store, can be kept when it is rewritten.
func (s *Store) undressed(ctx context.Context) []string {
	list, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: s.bucket(), Prefix: &s.prefix, MaxKeys: aws.Int32(1)})
	if err != nil || len(list.Contents) == 0 {
		return nil
	}
	r := connectors.Ref{Key: strings.TrimPrefix(aws.ToString(list.Contents[0].Key), s.prefix)}
	head, err := s.head(ctx, r)
	if err != nil {
		return nil
	}
	r.Version = aws.ToString(head.VersionId)
	_, err = s.look(ctx, r, head)
	if denied := (*connectors.DeniedError)(nil); errors.As(err, &denied) {
		return denied.Allow
	}
	return nil
}

// setting reads a reply: servers say with a 404 that a thing was never set up.
func setting(err error, on bool) Setting {
	switch {
	case err == nil && on:
		return On
	case err == nil, status(err) == 404:
		return Off
	}
	return Unknown
}
