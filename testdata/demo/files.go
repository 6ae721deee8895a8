package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

// transfers is how many objects are on their way at a time.
const transfers = 8

// connect makes a client whose idle connections can be closed: the server waits
// for them when it ends.
func (d *demo) connect() {
	d.client = s3.New(d.server.Client().Options(), func(o *s3.Options) { o.HTTPClient = http.DefaultClient })
}

// fill makes the buckets and puts the lake into its own.
func (d *demo) fill(ctx context.Context) (objects, size int64, err error) {
	for _, bucket := range []string{lakeBucket, workBucket} {
		if _, err := d.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			return 0, 0, fmt.Errorf("create bucket %s: %w", bucket, err)
		}
	}
	_, err = d.client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: aws.String(lakeBucket), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		return 0, 0, fmt.Errorf("set versioning of bucket %s: %w", lakeBucket, err)
	}
	var total atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(transfers)
	for f := range d.lake.Files() {
		objects++
		g.Go(func() error {
			var body bytes.Buffer
			if err := f.Write(&body); err != nil {
				return err
			}
			total.Add(int64(body.Len()))
			_, err := d.client.PutObject(ctx, &s3.PutObjectInput{
				Bucket: aws.String(lakeBucket), Key: aws.String(f.Key), Body: bytes.NewReader(body.Bytes()),
			})
			if err != nil {
				return fmt.Errorf("put %s: %w", f.Key, err)
			}
			return nil
		})
	}
	err = g.Wait()
	return objects, total.Load(), err
}

// download copies the bundles and the runs of the work store to out.
func (d *demo) download(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(transfers)
	for _, folder := range []string{"bundles/", "runs/", "certificates/"} {
		pages := s3.NewListObjectsV2Paginator(d.client, &s3.ListObjectsV2Input{
			Bucket: aws.String(workBucket), Prefix: aws.String(workPrefix + folder),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return fmt.Errorf("list work store: %w", err)
			}
			for _, o := range page.Contents {
				if strings.HasSuffix(*o.Key, "/") {
					continue // the server lists folders, too
				}
				g.Go(func() error { return d.fetch(ctx, *o.Key) })
			}
		}
	}
	return g.Wait()
}

func (d *demo) fetch(ctx context.Context, key string) error {
	got, err := d.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(workBucket), Key: &key})
	if err != nil {
		return fmt.Errorf("get %s: %w", key, err)
	}
	defer got.Body.Close()
	path := d.path("out", filepath.FromSlash(strings.TrimPrefix(key, workPrefix)))
	if err := writeFile(path, got.Body); err != nil {
		return fmt.Errorf("get %s: %w", key, err)
	}
	return nil
}
