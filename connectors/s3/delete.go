package s3

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

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
	if r.ETag == "" && (r.Version == "" || r.Version == "null") {
		return errors.New("an object is deleted by its ETag or its version, and neither is given")
	}
	in := &s3.DeleteObjectInput{Bucket: s.bucket(), Key: s.key(r.Key), VersionId: optional(r.Version)}
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: s.bucket(), Key: s.key(r.Key), VersionId: optional(r.Version)})
	switch {
	case r.Version != "" && isMarker(err):
		if r.ETag != "" { // a marker has none
			return connectors.ErrChanged
		}
		head, err = nil, nil
	case r.Version != "" && status(err) == 400: // an id that no version can have
		return fmt.Errorf("%w: %w", connectors.ErrNotFound, err)
	}
	if err != nil {
		return err
	}
	if head != nil && r.ETag != "" && bare(aws.ToString(head.ETag)) != r.ETag {
		return connectors.ErrChanged
	}
	if r.Version == "null" {
		current, err := s.head(ctx, connectors.Ref{Key: r.Key})
		if err != nil && !errors.Is(classify(err), connectors.ErrNotFound) {
			return err
		}
		if id := ""; err != nil || (current.VersionId != nil && *current.VersionId != "null") {
			if err == nil {
				id = *current.VersionId
			}
			return fmt.Errorf("%w: version null is not the current one (that is %q) and may be another one by now", connectors.ErrUnsupported, id)
		}
	}
	if r.Version == "null" && head != nil && head.VersionId == nil {
		in.VersionId = nil // a bucket that never kept versions: its only one has no id to servers
	}
	if r.Version == "" || r.Version == "null" {
		in.IfMatch = quoted(r.ETag)
	}
	_, err = s.client.DeleteObject(ctx, in)
	if errors.Is(classify(err), connectors.ErrDenied) && head != nil &&
		(head.ObjectLockMode != "" || head.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn) {
		return fmt.Errorf("%w: %w", connectors.ErrHeld, err)
	}
	return err
}
