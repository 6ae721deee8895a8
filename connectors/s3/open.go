package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"golang.org/x/sync/errgroup"

	"expunge/connectors"
)

// maxResumes bounds how often the body of one part is taken up again.
const maxResumes = 5

// Open reads a range. Its first part is streamed; when an eighth of that was read
// and more parts follow, these are fetched ahead, Concurrency at a time.
func (s *Store) Open(ctx context.Context, r connectors.Ref, rng connectors.Range) (io.ReadCloser, error) {
	body, err := s.open(ctx, r, rng)
	if err != nil {
		return nil, s.fail("open", r.Key, err)
	}
	return body, nil
}

func (s *Store) open(ctx context.Context, r connectors.Ref, rng connectors.Range) (*reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if rng.Off < 0 {
		return nil, fmt.Errorf("the range begins at %d", rng.Off)
	}
	end := int64(math.MaxInt64)
	if rng.Len >= 0 && rng.Len < end-rng.Off {
		end = rng.Off + rng.Len
	}
	ctx, cancel := context.WithCancel(ctx)
	out := &reader{ctx: ctx, cancel: cancel}
	first := &stream{s: s, ref: r, pos: rng.Off, end: min(end, rng.Off+s.opt.PartSize), total: -1}
	var err error
	if rng.Len == 0 {
		err = s.exists(ctx, r)
	} else if err = first.connect(ctx); isRange(err) {
		err = s.exists(ctx, r)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	if first.body == nil {
		return out, nil // an empty range, or one beyond the end
	}
	end = min(end, first.total)
	out.current, out.next, out.end = first, first.end, end
	out.ahead = first.pos + (first.end-first.pos)/8
	return out, nil
}

// exists checks that r is there and has its ETag.
func (s *Store) exists(ctx context.Context, r connectors.Ref) error {
	_, err := s.head(ctx, r)
	return err
}

// head looks at exactly what r names. A delete marker is not found.
func (s *Store) head(ctx context.Context, r connectors.Ref) (*s3.HeadObjectOutput, error) {
	if r.Key == "" {
		return nil, errors.New("the object has no key")
	}
	in := &s3.HeadObjectInput{Bucket: s.bucket(), Key: s.key(r.Key), VersionId: optional(r.Version)}
	out, err := s.client.HeadObject(ctx, in)
	if r.Version == "null" && status(err) == http.StatusNotFound {
		out, err = s.unversioned(ctx, in, err)
	}
	switch {
	case isMarker(err) || (r.Version != "" && status(err) == 400): // 400: an id that no version can have
		return nil, fmt.Errorf("%w: %w", connectors.ErrNotFound, err)
	case err != nil:
		return nil, err
	case r.ETag != "" && bare(aws.ToString(out.ETag)) != r.ETag:
		return nil, connectors.ErrChanged
	}
	return out, nil
}

// unversioned asks again without a version id: some servers list the objects of a
// bucket that never kept versions as "null" and find none of that name. What has a
// version id is another object.
func (s *Store) unversioned(ctx context.Context, in *s3.HeadObjectInput, was error) (*s3.HeadObjectOutput, error) {
	in.VersionId = nil
	out, err := s.client.HeadObject(ctx, in)
	if err == nil && out.VersionId != nil {
		return nil, was
	}
	return out, err
}

// stream reads [pos, end) of one object through one body after another.
type stream struct {
	s        *Store
	ref      connectors.Ref // once connected, with the ETag that all bodies must have
	pos, end int64
	total    int64 // size of the object; -1 until known
	body     io.ReadCloser
	resumes  int
}

// connect asks for the rest of the stream.
func (t *stream) connect(ctx context.Context) error {
	if t.ref.Key == "" {
		return errors.New("the object has no key")
	}
	in := &s3.GetObjectInput{
		Bucket: t.s.bucket(), Key: t.s.key(t.ref.Key), VersionId: optional(t.ref.Version),
		Range: aws.String(fmt.Sprintf("bytes=%d-%d", t.pos, t.end-1)),
	}
	if t.ref.ETag != "" {
		in.IfMatch = quoted(t.ref.ETag)
	}
	out, err := t.s.client.GetObject(ctx, in)
	if t.ref.Version == "null" && status(err) == http.StatusNotFound { // see unversioned
		in.VersionId = nil
		again, againErr := t.s.client.GetObject(ctx, in)
		switch {
		case againErr == nil && again.VersionId != nil:
			again.Body.Close()
		default:
			out, err = again, againErr
		}
	}
	if isMarker(err) || (t.ref.Version != "" && status(err) == 400) {
		return fmt.Errorf("%w: %w", connectors.ErrNotFound, err)
	}
	if err != nil {
		return err
	}
	etag := bare(aws.ToString(out.ETag))
	total, err := extent(out, t.pos)
	switch {
	case err != nil:
	case t.ref.ETag != "" && etag != t.ref.ETag:
		err = connectors.ErrChanged // the server did not look at the condition
	case t.total >= 0 && total != t.total:
		err = connectors.ErrChanged
	}
	if err != nil {
		out.Body.Close()
		return err
	}
	t.ref.ETag, t.total, t.end, t.body = etag, total, min(t.end, total), out.Body
	return nil
}

// extent is the size of the object that a reply is a part of. A reply that does
// not begin where it was asked to is refused.
func extent(out *s3.GetObjectOutput, off int64) (int64, error) {
	if out.ContentRange == nil { // the whole object
		if off != 0 || out.ContentLength == nil {
			return 0, fmt.Errorf("%w: the server ignores ranges", connectors.ErrUnsupported)
		}
		return *out.ContentLength, nil
	}
	span, size, ok := strings.Cut(strings.TrimPrefix(*out.ContentRange, "bytes "), "/")
	from, _, ok2 := strings.Cut(span, "-")
	start, err := strconv.ParseInt(from, 10, 64)
	total, err2 := strconv.ParseInt(size, 10, 64)
	if !ok || !ok2 || err != nil || err2 != nil || start != off || total <= off {
		return 0, fmt.Errorf("%w: asked for bytes from %d, the server sends %q", connectors.ErrUnsupported, off, *out.ContentRange)
	}
	return total, nil
}

func (t *stream) read(ctx context.Context, p []byte) (int, error) {
	for {
		if t.pos >= t.end {
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		var n int
		var err error
		if t.body == nil {
			err = t.connect(ctx)
		}
		if err == nil {
			n, err = t.body.Read(p[:min(int64(len(p)), t.end-t.pos)])
			t.pos += int64(n)
			if err == nil || t.pos == t.end {
				return n, nil
			}
			t.close()
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			err = fmt.Errorf("%w: body ends at byte %d of %d: %w", connectors.ErrTemporary, t.pos, t.total, err)
		}
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		temporary := errors.Is(err, connectors.ErrTemporary) || errors.Is(classify(err), connectors.ErrTemporary)
		if t.resumes++; !temporary || t.resumes > maxResumes || t.ref.ETag == "" {
			if temporary && !errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
			}
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (t *stream) close() {
	if t.body != nil {
		t.body.Close()
		t.body = nil
	}
}

// fetched is one part that was read ahead. err stands at the end of b.
type fetched struct {
	b   []byte
	err error
}

// reader gives the bytes of its parts in order. It is one caller's, as readers are.
type reader struct {
	ctx     context.Context // of Open; ends with Close
	cancel  context.CancelFunc
	current *stream // the first part; nil for an empty range
	ahead   int64   // where fetching ahead begins
	next    int64   // the first byte after the first part
	end     int64

	parts chan chan fetched // in order; nil until begun
	group errgroup.Group
	part  fetched
	at    int64 // up to where parts have been taken from parts
	err   error // what every further Read returns
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.current.s.fail("read", r.current.ref.Key, err)
	}
	if err != nil {
		r.err = err
	}
	return n, err
}

func (r *reader) read(p []byte) (int, error) {
	if r.current == nil {
		return 0, io.EOF
	}
	if r.current.pos < r.current.end {
		n, err := r.current.read(r.ctx, p)
		if r.parts == nil && r.next < r.end && r.current.pos >= r.ahead && err == nil {
			r.begin()
		}
		return n, err
	}
	r.current.close()
	if r.next >= r.end {
		return 0, io.EOF
	}
	if r.parts == nil {
		r.begin()
	}
	for len(r.part.b) == 0 {
		if r.part.err != nil {
			return 0, r.part.err
		}
		ch, ok := <-r.parts
		if !ok {
			if r.at < r.end { // the parts ended because ctx did
				return 0, errors.Join(r.ctx.Err(), io.ErrUnexpectedEOF)
			}
			return 0, io.EOF
		}
		r.part = <-ch
		r.at += int64(len(r.part.b))
	}
	n := copy(p, r.part.b)
	r.part.b = r.part.b[n:]
	return n, nil
}

// begin starts to fetch the parts after the first one.
func (r *reader) begin() {
	first := r.current
	size, ref, s := first.s.opt.PartSize, first.ref, first.s
	r.at, r.parts = r.next, make(chan chan fetched, s.opt.Concurrency)
	r.group.Go(func() error {
		defer close(r.parts)
		for off := r.next; off < r.end; off += size {
			ch := make(chan fetched, 1)
			select {
			case r.parts <- ch: // not more than Concurrency wait to be read
			case <-r.ctx.Done():
				ch <- fetched{err: r.ctx.Err()}
				return nil
			}
			r.group.Go(func() error {
				t := &stream{s: s, ref: ref, pos: off, end: min(off+size, r.end), total: first.total}
				defer t.close()
				b := make([]byte, t.end-t.pos)
				n := 0
				for n < len(b) {
					got, err := t.read(r.ctx, b[n:])
					n += got
					if err != nil {
						if errors.Is(err, io.EOF) {
							err = io.ErrUnexpectedEOF
						}
						ch <- fetched{b[:n], err}
						return nil
					}
				}
				ch <- fetched{b: b}
				return nil
			})
		}
		return nil
	})
}

// Close ends what is still being fetched.
func (r *reader) Close() error {
	r.cancel()
	if r.current != nil {
		r.current.close()
	}
	if r.err == nil {
		r.err = errors.New("read of a closed reader")
	}
	return r.group.Wait()
}
