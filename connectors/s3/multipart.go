package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"golang.org/x/sync/errgroup"

	"expunge/connectors"
)

const abortWait = 30 * time.Second

// piece is one part: copied from the source, or sent.
type piece struct {
	copied bool
	off    int64 // copied: in the source
	len    int64
	from   []connectors.Piece // sent: what it is made of; nil for Create
}

func encode(sum []byte) *string { return aws.String(base64.StdEncoding.EncodeToString(sum)) }

// multipart writes an object in parts, or nothing: a failure aborts the upload. No
// checksum algorithm is named, so that copied parts need not be read; they come
// from source. read is called for the parts that are sent, one at a time and in order; begun, before the
// first of them.
func (s *Store) multipart(ctx context.Context, key string, source connectors.Ref, parts []piece, read func(piece) ([]byte, error), d *dress, c condition, begun func(context.Context, string) error) (_ connectors.Object, err error) {
	begin := &s3.CreateMultipartUploadInput{Bucket: s.bucket(), Key: s.key(key)}
	d.begin(begin)
	up, err := s.client.CreateMultipartUpload(ctx, begin)
	if err != nil {
		return connectors.Object{}, allow(err, d.writes()...)
	}
	defer func() {
		if err == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortWait)
		defer cancel()
		in := &s3.AbortMultipartUploadInput{Bucket: s.bucket(), Key: s.key(key), UploadId: up.UploadId}
		if _, abortErr := s.client.AbortMultipartUpload(ctx, in); abortErr != nil && !strings.Contains(abortErr.Error(), "NoSuchUpload") {
			// %v: what became of the clean-up must not change which error this is.
			err = fmt.Errorf("%w (its unfinished upload %s is left over: %v)", err, aws.ToString(up.UploadId), abortErr)
		}
	}()

	if begun != nil {
		if err := begun(ctx, aws.ToString(up.UploadId)); err != nil {
			return connectors.Object{}, err
		}
	}
	done := make([]types.CompletedPart, len(parts))
	// A part that fails ends the upload, but not the parts that are on their way: what
	// the server takes in after the upload was given up may bring it back.
	var group errgroup.Group
	group.SetLimit(s.opt.Concurrency)
	var failed atomic.Bool
	part := func(do func() error) {
		group.Go(func() error {
			err := do()
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	var size int64
	var readErr error
	for i, p := range parts {
		size += p.len
		if failed.Load() || ctx.Err() != nil {
			break
		}
		number := aws.Int32(int32(i + 1))
		done[i].PartNumber = number
		if p.copied {
			part(func() (err error) {
				done[i].ETag, err = s.copyPart(ctx, key, source, up.UploadId, number, p)
				return err
			})
			continue
		}
		b, err := read(p)
		if err != nil {
			readErr = fmt.Errorf("read part %d: %w", i+1, err)
			break
		}
		part(func() error {
			sum := md5.Sum(b)
			out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
				Bucket: s.bucket(), Key: s.key(key), UploadId: up.UploadId, PartNumber: number,
				Body: section(b), ContentLength: &p.len, ContentMD5: encode(sum[:]),
			})
			if err == nil {
				done[i].ETag = out.ETag
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return connectors.Object{}, err
	}
	if readErr == nil {
		readErr = ctx.Err()
	}
	if readErr != nil {
		return connectors.Object{}, readErr
	}
	end := &s3.CompleteMultipartUploadInput{Bucket: s.bucket(), Key: s.key(key), UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: done}}
	end.IfMatch, end.IfNoneMatch = c.headers()
	out, err := s.client.CompleteMultipartUpload(ctx, end)
	if err != nil {
		return connectors.Object{}, err
	}
	return connectors.Object{Ref: s.ref(key, s.shown(out.VersionId), aws.ToString(out.ETag)), Size: size, Class: class(string(d.class))}, nil
}

func (s *Store) copyPart(ctx context.Context, key string, source connectors.Ref, upload *string, number *int32, p piece) (*string, error) {
	from := s.opt.Bucket
	for segment := range strings.SplitSeq(*s.key(source.Key), "/") {
		from += "/" + strings.ReplaceAll(url.PathEscape(segment), "+", "%2B") // a bare + is read as a space
	}
	if source.Version != "" {
		from += "?versionId=" + url.QueryEscape(source.Version)
	}
	out, err := s.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
		Bucket: s.bucket(), Key: s.key(key), UploadId: upload, PartNumber: number,
		CopySource: &from, CopySourceIfMatch: quoted(source.ETag),
		CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", p.off, p.off+p.len-1)),
	})
	if status(err) == http.StatusBadRequest { // perhaps since the range lies beyond what is there by now
		if changed := s.exists(ctx, source); changed != nil {
			return nil, changed
		}
	}
	if err != nil {
		return nil, err
	}
	if out.CopyPartResult == nil || out.CopyPartResult.ETag == nil {
		return nil, fmt.Errorf("%w: the reply to copying part %d has no ETag", connectors.ErrTemporary, *number)
	}
	return out.CopyPartResult.ETag, nil
}
