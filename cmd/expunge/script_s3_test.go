package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rogpeppe/go-internal/testscript"
)

// begin FILE BUCKET/KEY: begins to upload a file, in parts, and leaves it so.
func begin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: begin FILE BUCKET/KEY")
	}
	bucket, key, _ := strings.Cut(args[1], "/")
	up, err := clientOf(ts).CreateMultipartUpload(context.Background(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	ts.Check(err)
	_, err = clientOf(ts).UploadPart(context.Background(), &s3.UploadPartInput{
		Bucket: &bucket, Key: &key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader(ts.ReadFile(args[0])),
	})
	ts.Check(err)
}

// unfinished BUCKET/KEY N: so many uploads of exactly that key are unfinished.
func unfinished(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: unfinished BUCKET/KEY N")
	}
	bucket, key, _ := strings.Cut(args[0], "/")
	all, err := clientOf(ts).ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	ts.Check(err)
	n := 0
	for _, u := range all.Uploads {
		if *u.Key == key {
			n++
		}
	}
	if fmt.Sprint(n) != args[1] {
		ts.Fatalf("%d uploads of %s are unfinished, not %s", n, args[0], args[1])
	}
}

// eachVersion does something to every version of a key in the script's S3 server.
func eachVersion(ts *testscript.TestScript, at string, do func(bucket, key, version *string) error) {
	bucket, key, _ := strings.Cut(at, "/")
	all, err := clientOf(ts).ListObjectVersions(context.Background(), &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &key})
	ts.Check(err)
	for _, v := range all.Versions {
		if *v.Key == key {
			ts.Check(do(&bucket, &key, v.VersionId))
		}
	}
}

// retain BUCKET/KEY TIME: the versions of a key are under GOVERNANCE retention until then.
func retain(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: retain BUCKET/KEY TIME")
	}
	until, err := time.Parse(time.RFC3339, args[1])
	ts.Check(err)
	eachVersion(ts, args[0], func(bucket, key, version *string) error {
		_, err := clientOf(ts).PutObjectRetention(context.Background(), &s3.PutObjectRetentionInput{
			Bucket: bucket, Key: key, VersionId: version, Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeGovernance, RetainUntilDate: &until},
		})
		return err
	})
}

// storehold BUCKET/KEY ON|OFF: the versions of a key are under a legal hold of the store.
func storehold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: storehold BUCKET/KEY ON|OFF")
	}
	eachVersion(ts, args[0], func(bucket, key, version *string) error {
		_, err := clientOf(ts).PutObjectLegalHold(context.Background(), &s3.PutObjectLegalHoldInput{
			Bucket: bucket, Key: key, VersionId: version, LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatus(args[1])},
		})
		return err
	})
}

// versioning BUCKET Enabled|Suspended: sets the versioning of a bucket.
func versioning(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: versioning BUCKET Enabled|Suspended")
	}
	_, err := clientOf(ts).PutBucketVersioning(context.Background(), &s3.PutBucketVersioningInput{
		Bucket: &args[0], VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatus(args[1])},
	})
	ts.Check(err)
}

// dropversion BUCKET/KEY ID: deletes one version, as the bucket's owner.
func dropversion(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: dropversion BUCKET/KEY ID")
	}
	bucket, key, _ := strings.Cut(args[0], "/")
	_, err := clientOf(ts).DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key, VersionId: &args[1]})
	ts.Check(err)
}
