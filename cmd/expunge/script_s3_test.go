package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
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

// fetch BUCKET/KEY FILE: what a plain read of a key gives.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fetch BUCKET/KEY FILE")
	}
	bucket, key, _ := strings.Cut(args[0], "/")
	got, err := clientOf(ts).GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	ts.Check(err)
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
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

// retention BUCKET DAYS: what is written to a bucket is locked by default.
func defaultRetention(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: retention BUCKET DAYS")
	}
	days, err := strconv.Atoi(args[1])
	ts.Check(err)
	_, err = clientOf(ts).PutObjectLockConfiguration(context.Background(), &s3.PutObjectLockConfigurationInput{Bucket: &args[0], ObjectLockConfiguration: &types.ObjectLockConfiguration{
		ObjectLockEnabled: types.ObjectLockEnabledEnabled,
		Rule:              &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeCompliance, Days: aws.Int32(int32(days))}},
	}})
	ts.Check(err)
}

// deny BUCKET ACTION…: from now on the program is a user who may do all in the bucket but that.
func deny(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: deny BUCKET [ACTION…]")
	}
	statement := func(effect string, actions []string) map[string]any {
		return map[string]any{"Effect": effect, "Principal": map[string]any{"AWS": []string{userKey}}, "Action": actions,
			"Resource": []string{"arn:aws:s3:::" + args[0], "arn:aws:s3:::" + args[0] + "/*"}}
	}
	all := []any{statement("Allow", []string{"s3:*"})}
	if len(args) > 1 {
		all = append(all, statement("Deny", args[1:]))
	}
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": all})
	ts.Check(err)
	_, err = clientOf(ts).PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{Bucket: &args[0], Policy: aws.String(string(policy))})
	ts.Check(err)
	ts.Setenv("AWS_ACCESS_KEY_ID", userKey)
	ts.Setenv("AWS_SECRET_ACCESS_KEY", userSecret)
}

// counts BUCKET/PREFIX N: there are so many versions and delete markers.
func counts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: counts BUCKET/PREFIX N")
	}
	bucket, prefix, _ := strings.Cut(args[0], "/")
	all, err := clientOf(ts).ListObjectVersions(context.Background(), &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &prefix})
	ts.Check(err)
	if n := len(all.Versions) + len(all.DeleteMarkers); fmt.Sprint(n) != args[1] {
		ts.Fatalf("%d versions and markers below %s, not %s", n, args[0], args[1])
	}
}

// labelled FILE BUCKET/KEY VALUE: uploads a file with a value in its user metadata, in a tag
// and in its Content-Disposition.
func labelled(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: labelled FILE BUCKET/KEY VALUE")
	}
	bucket, key, _ := strings.Cut(args[1], "/")
	_, err := clientOf(ts).PutObject(context.Background(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(ts.ReadFile(args[0])),
		Metadata: map[string]string{"caller": args[2]}, Tagging: aws.String(url.Values{"phone": {args[2]}}.Encode()),
		ContentDisposition: aws.String(fmt.Sprintf(`attachment; filename="%s.jsonl"`, args[2]))})
	ts.Check(err)
}
