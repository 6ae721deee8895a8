package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"expunge/testdata/lake"
)

// erased holds the lake after the erasure against what the truth leaves of it:
// exactly the records of deletion requests are gone, from every version.
func (d *demo) erased(ctx context.Context) error {
	gone := map[string]map[int64]bool{}
	want := 0
	for t := range d.lake.Truth() {
		if !t.Tier.Automatic() || !slices.Contains(t.Rights, "delete") {
			continue
		}
		if gone[t.Object] == nil {
			gone[t.Object] = map[int64]bool{}
		}
		if !gone[t.Object][t.Record] {
			want++
		}
		gone[t.Object][t.Record] = true
	}
	if want == 0 {
		return errors.New("nothing was to be erased, so this shows nothing")
	}
	var wrong []string
	stay := int64(0)
	for f := range d.lake.Files() {
		var was bytes.Buffer
		if err := f.Write(&was); err != nil {
			return err
		}
		left, err := survivors(f.Key, was.Bytes(), gone[f.Key])
		if err != nil {
			return err
		}
		is, err := d.object(ctx, f.Key)
		if err != nil {
			return err
		}
		switch {
		case left == nil && is != nil:
			wrong = append(wrong, f.Key+" should be gone")
		case left != nil && is == nil:
			wrong = append(wrong, f.Key+" is gone")
		case left != nil && gone[f.Key] == nil && !bytes.Equal(is, was.Bytes()):
			wrong = append(wrong, f.Key+" was not to be touched")
		case left != nil:
			now, err := lake.Records(f.Key, is)
			if err != nil {
				return fmt.Errorf("read %s: %w", f.Key, err)
			}
			if !slices.Equal(now, left) {
				wrong = append(wrong, fmt.Sprintf("%s has %d records, not the %d that stay", f.Key, len(now), len(left)))
			}
		}
		stay += int64(len(left))
	}
	versions, err := d.versions(ctx)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if !v.current {
			wrong = append(wrong, v.key+" has an old version")
		}
	}
	fmt.Printf("lake      %d records erased, %d others stay, %d objects wrong\n\n", want, stay, len(wrong))
	show("wrong", wrong)
	if len(wrong) > 0 {
		return errors.New("the lake is not what the truth leaves of it")
	}
	return nil
}

// survivors are the records that stay of an object; nil if the object goes.
func survivors(key string, was []byte, gone map[int64]bool) ([]string, error) {
	if gone[-1] {
		return nil, nil
	}
	records, err := lake.Records(key, was)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	left := []string{}
	for i, r := range records {
		if !gone[int64(i)] {
			left = append(left, r)
		}
	}
	if len(left) == 0 && len(records) == 1 && strings.Contains(key, "/single/") {
		return nil, nil // one JSON document: nothing is left of the object
	}
	return left, nil
}

// object is what a plain read of the lake gives; nil if there is no such object.
func (d *demo) object(ctx context.Context, key string) ([]byte, error) {
	out, err := d.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(lakeBucket), Key: &key})
	if err != nil {
		if strings.Contains(err.Error(), "NoSuchKey") {
			return nil, nil
		}
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	if b == nil {
		b = []byte{}
	}
	return b, err
}

// version is one of an object that the store gives.
type version struct {
	key, id string
	current bool
}

// versions lists those of the lake; delete markers are none.
func (d *demo) versions(ctx context.Context) ([]version, error) {
	var all []version
	in := &s3.ListObjectVersionsInput{Bucket: aws.String(lakeBucket)}
	for {
		page, err := d.client.ListObjectVersions(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("list versions: %w", err)
		}
		for _, v := range page.Versions {
			all = append(all, version{*v.Key, aws.ToString(v.VersionId), aws.ToBool(v.IsLatest)})
		}
		if !aws.ToBool(page.IsTruncated) {
			return all, nil
		}
		in.KeyMarker, in.VersionIdMarker = page.NextKeyMarker, page.NextVersionIdMarker
	}
}
