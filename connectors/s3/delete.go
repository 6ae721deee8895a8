package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"expunge/connectors"
)

// Delete looks before it deletes, since servers answer alike for what is gone and
// for what never was. The current object goes with If-Match, a version by its id,
// which is immutable; "null" is none, and goes only while it is current and with
// If-Match. Objects are deleted one by one: a batch reports denial inside a 200.
func (s *Store) Delete(ctx context.Context, r connectors.Ref) error {
	defer s.turn(r.Key)()
	return s.fail("delete", r.Key, s.delete(ctx, r))
}

func (s *Store) delete(ctx context.Context, r connectors.Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.ETag == "" && r.Version == "null" {
		return fmt.Errorf("%w: it is a delete marker", connectors.ErrNull)
	}
	if r.ETag == "" && r.Version == "" {
		return errors.New("an object is deleted by its ETag or its version, and neither is given")
	}
	in := &s3.DeleteObjectInput{Bucket: s.bucket(), Key: s.key(r.Key), VersionId: optional(r.Version)}
	var head *s3.HeadObjectOutput // nil for a delete marker
	var err error
	switch r.Version {
	case "":
		head, err = s.head(ctx, r)
		in.IfMatch = quoted(r.ETag)
	case "null":
		head, err = s.currentNull(ctx, r)
		in.IfMatch = quoted(r.ETag)
		if err == nil && head.VersionId == nil {
			in.VersionId = nil // a bucket that never kept versions
		}
	default:
		head, err = s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: s.bucket(), Key: s.key(r.Key), VersionId: &r.Version})
		switch {
		case isMarker(err) && r.ETag == "": // a marker has none
			head, err = nil, nil
		case isMarker(err), err == nil && r.ETag != "" && bare(aws.ToString(head.ETag)) != r.ETag:
			err = connectors.ErrChanged
		case gone(err):
			head, err = nil, s.listed(ctx, r, err)
		case status(err) == http.StatusBadRequest: // an id that no version can have
			err = fmt.Errorf("%w: %w", connectors.ErrNotFound, err)
		}
	}
	if err != nil {
		return err
	}
	_, err = s.client.DeleteObject(ctx, in)
	if status(err) == http.StatusBadRequest && r.Version != "" {
		// Some servers refuse the id of a version that somebody deleted since it was looked at.
		if _, again := s.head(ctx, r); gone(again) {
			return again
		}
	}
	if kind := classify(err); head != nil && (errors.Is(kind, connectors.ErrHeld) || errors.Is(kind, connectors.ErrDenied)) {
		if lock := s.locks(ctx, in, head); lock.Until.After(time.Now()) || lock.Hold || errors.Is(kind, connectors.ErrHeld) {
			return fmt.Errorf("%w: %v", lock, err) // %v: what it is was said
		}
		if r.Version != "" && s.mfaDelete(ctx) {
			return fmt.Errorf("%w: %v", connectors.ErrMFA, err)
		}
	}
	if r.Version == "" {
		return allow(err, "s3:DeleteObject")
	}
	return allow(err, "s3:DeleteObjectVersion")
}

// listed asks the listing for a version that a look does not find: some servers hide older
// versions, which can be deleted all the same, where versioning is suspended. It returns
// otherwise where the listing does not show the version either.
func (s *Store) listed(ctx context.Context, r connectors.Ref, otherwise error) error {
	for v, err := range s.Versions(ctx, r.Key) {
		switch {
		case err != nil:
			return err
		case v.Key != r.Key:
			return otherwise
		case v.Version == r.Version && r.ETag != "" && v.ETag != r.ETag:
			return connectors.ErrChanged
		case v.Version == r.Version:
			return nil
		}
	}
	return otherwise
}

// currentNull looks at the version "null", and refuses if that is not the current
// one: by the time of the delete it may be another object of that name.
func (s *Store) currentNull(ctx context.Context, r connectors.Ref) (*s3.HeadObjectOutput, error) {
	head, err := s.head(ctx, connectors.Ref{Key: r.Key})
	switch {
	case err != nil && !gone(err):
		return nil, err
	case err != nil || (head.VersionId != nil && *head.VersionId != "null"):
		if _, err := s.head(ctx, r); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: version null is not the current one and may be another one by now", connectors.ErrNull)
	case bare(aws.ToString(head.ETag)) != r.ETag:
		return nil, connectors.ErrChanged
	}
	return head, nil
}
