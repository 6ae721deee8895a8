package s3

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"expunge/connectors"
)

var _ connectors.Uploader = (*Store)(nil)

// Uploads implements connectors.Uploader.
func (s *Store) Uploads(ctx context.Context, key string) ([]connectors.Upload, error) {
	out, err := s.uploads(ctx, key)
	return out, s.fail("list unfinished uploads of", key, err)
}

func (s *Store) uploads(ctx context.Context, key string) ([]connectors.Upload, error) {
	var out []connectors.Upload
	keyMarker, idMarker := "", ""
	for {
		page, err := s.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{
			Bucket: s.bucket(), Prefix: s.key(key), EncodingType: types.EncodingTypeUrl, MaxUploads: aws.Int32(pageSize),
			KeyMarker: optional(keyMarker), UploadIdMarker: optional(idMarker),
		})
		if err != nil {
			return nil, err
		}
		for _, u := range page.Uploads {
			name, err := unescape(page.EncodingType, u.Key)
			if err != nil {
				return nil, fmt.Errorf("decode a key: %w", err)
			}
			if name != *s.key(key) {
				continue
			}
			up := connectors.Upload{Key: key, ID: aws.ToString(u.UploadId), Begun: aws.ToTime(u.Initiated)}
			switch up.Written, err = s.written(ctx, up); {
			case noUpload(err): // completed or given up meanwhile
				continue
			case err != nil:
				return nil, err
			}
			out = append(out, up)
		}
		if !aws.ToBool(page.IsTruncated) {
			slices.SortFunc(out, func(a, b connectors.Upload) int { return strings.Compare(a.ID, b.ID) })
			return out, nil
		}
		next, err := unescape(page.EncodingType, page.NextKeyMarker)
		if err != nil {
			return nil, fmt.Errorf("decode a key: %w", err)
		}
		id := aws.ToString(page.NextUploadIdMarker)
		if next == keyMarker && id == idMarker {
			return nil, fmt.Errorf("%w: the listing of uploads stands still", connectors.ErrUnsupported)
		}
		keyMarker, idMarker = next, id
	}
}

// written is when the newest part of an upload was.
func (s *Store) written(ctx context.Context, u connectors.Upload) (newest time.Time, err error) {
	var marker *string
	for {
		page, err := s.client.ListParts(ctx, &s3.ListPartsInput{Bucket: s.bucket(), Key: s.key(u.Key), UploadId: &u.ID, PartNumberMarker: marker})
		if err != nil {
			return newest, err
		}
		for _, p := range page.Parts {
			if t := aws.ToTime(p.LastModified); t.After(newest) {
				newest = t
			}
		}
		next := page.NextPartNumberMarker
		if !aws.ToBool(page.IsTruncated) || next == nil || aws.ToString(marker) == *next {
			return newest, nil
		}
		marker = next
	}
}

// Abort implements connectors.Uploader. It looks first: servers do not agree on what
// they answer to giving up what is not there.
func (s *Store) Abort(ctx context.Context, u connectors.Upload) error {
	_, err := s.written(ctx, u)
	if err == nil {
		_, err = s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: s.bucket(), Key: s.key(u.Key), UploadId: &u.ID})
	}
	if noUpload(err) {
		err = fmt.Errorf("%w: %v", connectors.ErrNotFound, err) // %v: in a write this code is worth another try, here it is the end
	}
	return s.fail("give up an unfinished upload of", u.Key, err)
}

// noUpload tells that there is no such upload.
func noUpload(err error) bool { return err != nil && code(err) == "NoSuchUpload" }
