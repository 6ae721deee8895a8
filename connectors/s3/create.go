package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"expunge/connectors"
)

// Create writes with If-None-Match: *, in one request or, above two parts, in parts.
// Keys with empty segments or the segments "." and ".." are refused with
// ErrUnsupported: servers and proxies on the way tidy them into other keys. Objects
// that have such keys are listed and read as any.
func (s *Store) Create(ctx context.Context, key string, body io.ReadSeeker) (connectors.Object, error) {
	return s.createIn(ctx, key, func() (connectors.Object, error) { return s.create(ctx, key, body) })
}

// createIn creates by write under a key that can be, and says why it did not where the
// server says only that a condition failed.
func (s *Store) createIn(ctx context.Context, key string, write func() (connectors.Object, error)) (connectors.Object, error) {
	for segment := range strings.SplitSeq(strings.TrimSuffix(key, "/"), "/") {
		if key != "" && (segment == "" || segment == "." || segment == "..") {
			return connectors.Object{}, s.fail("create", key, connectors.ErrUnsupported)
		}
	}
	defer s.turn(key)()
	o, err := write()
	if errors.Is(err, connectors.ErrChanged) || errors.Is(classify(err), connectors.ErrChanged) {
		if _, err := s.head(ctx, connectors.Ref{Key: key}); gone(err) {
			// Either the object went this moment, or the server takes a delete marker
			// for an object and will not create over it.
			if s.marked(ctx, key) {
				return connectors.Object{}, s.fail("create over a delete marker", key, connectors.ErrUnsupported)
			}
			return connectors.Object{}, s.fail("create", key, connectors.ErrTemporary)
		}
		return connectors.Object{}, s.fail("create", key, connectors.ErrExists)
	}
	return o, s.fail("create", key, err)
}

// marked tells that the current version of key is a delete marker.
func (s *Store) marked(ctx context.Context, key string) bool {
	for v, err := range s.Versions(ctx, key) {
		if err != nil || v.Key != key {
			return false
		}
		return v.Current && v.Deleted
	}
	return false
}

func (s *Store) create(ctx context.Context, key string, body io.ReadSeeker) (connectors.Object, error) {
	if err := ctx.Err(); err != nil {
		return connectors.Object{}, err
	}
	if key == "" {
		return connectors.Object{}, errors.New("the object has no key")
	}
	size, err := body.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = body.Seek(0, io.SeekStart)
	}
	if err != nil {
		return connectors.Object{}, fmt.Errorf("measure the body: %w", err)
	}
	if size <= 2*s.opt.PartSize {
		return s.put(ctx, key, body, size, &dress{}, condition{absent: true})
	}
	var parts []piece
	for off, n := int64(0), s.partSize(size); off < size; off += n {
		parts = append(parts, piece{len: min(n, size-off)})
	}
	read := func(p piece) ([]byte, error) {
		b := make([]byte, p.len)
		_, err := io.ReadFull(body, b)
		return b, err
	}
	return s.multipart(ctx, key, connectors.Ref{}, parts, read, &dress{}, condition{absent: true}, nil)
}

// partSize is large enough for 10,000 parts to hold size.
func (s *Store) partSize(size int64) int64 { return max(s.opt.PartSize, size/9000+1) }

// condition is what a write depends on: that nothing is there, or that etag is.
type condition struct {
	absent bool
	etag   string
}

func (c condition) headers() (ifMatch, ifNoneMatch *string) {
	if c.absent {
		return nil, aws.String("*")
	}
	return quoted(c.etag), nil
}

// put writes size bytes of body in one request.
func (s *Store) put(ctx context.Context, key string, body io.ReadSeeker, size int64, d *dress, c condition) (connectors.Object, error) {
	sum := md5.New()
	n, err := io.Copy(sum, body)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		_, err = body.Seek(0, io.SeekStart)
	}
	if err != nil {
		return connectors.Object{}, fmt.Errorf("read the body: %w", err)
	}
	in := &s3.PutObjectInput{Bucket: s.bucket(), Key: s.key(key), Body: body, ContentLength: &size, ContentMD5: encode(sum.Sum(nil))}
	in.IfMatch, in.IfNoneMatch = c.headers()
	d.put(in)
	out, err := s.client.PutObject(ctx, in)
	if err != nil {
		return connectors.Object{}, allow(err, d.writes()...)
	}
	return connectors.Object{Ref: s.ref(key, s.shown(out.VersionId), aws.ToString(out.ETag)), Size: size, Class: class(string(d.class))}, nil
}

func section(b []byte) io.ReadSeeker { return bytes.NewReader(b) }
