package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"expunge/connectors"
)

// locks is what keeps a version from being deleted. HEAD shows it to those who may see
// it, but not on every server for versions that are not current: these are asked. What
// may not be seen is left out.
func (s *Store) locks(ctx context.Context, in *s3.DeleteObjectInput, head *s3.HeadObjectOutput) *connectors.LockError {
	lock := &connectors.LockError{
		Mode: string(head.ObjectLockMode), Until: aws.ToTime(head.ObjectLockRetainUntilDate),
		Hold: head.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn,
	}
	if lock.Mode != "" || lock.Hold {
		return lock
	}
	r, err := s.client.GetObjectRetention(ctx, &s3.GetObjectRetentionInput{Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionId})
	if err == nil && r.Retention != nil {
		lock.Mode, lock.Until = string(r.Retention.Mode), aws.ToTime(r.Retention.RetainUntilDate)
	}
	h, err := s.client.GetObjectLegalHold(ctx, &s3.GetObjectLegalHoldInput{Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionId})
	lock.Hold = err == nil && h.LegalHold != nil && h.LegalHold.Status == types.ObjectLockLegalHoldStatusOn
	return lock
}

// mfaDelete tells that the bucket asks for MFA where a version is deleted. Servers deny
// it in many words.
func (s *Store) mfaDelete(ctx context.Context) bool {
	v, err := s.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: s.bucket()})
	return err == nil && v.MFADelete == types.MFADeleteStatusEnabled
}
