package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"

	"expunge/connectors"
)

// Replace writes with If-Match: results of up to two parts in one request, larger
// ones in parts, where runs of 5 MiB and more are copied by the server.
func (s *Store) Replace(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	defer s.turn(old.Key)()
	o, err := s.replace(ctx, old, p)
	return o, s.fail("replace", old.Key, err)
}

func (s *Store) replace(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	var none connectors.Object
	old, d, err := s.source(ctx, old, p)
	if err != nil {
		return none, err
	}
	size := p.Size()
	if size <= 2*s.opt.PartSize {
		b, err := s.compose(ctx, old, p, joined(p.Pieces), size)
		if err != nil {
			return none, err
		}
		return s.put(ctx, old.Key, bytes.NewReader(b), size, d, condition{etag: old.ETag})
	}
	read := func(part piece) ([]byte, error) { return s.compose(ctx, old, p, part.from, part.len) }
	return s.multipart(ctx, old.Key, old, plan(p.Pieces, s.partSize(size)), read, d, condition{etag: old.ETag}, p.Begun)
}

// CreateLike writes with If-None-Match: *, and copies from like as Replace does.
func (s *Store) CreateLike(ctx context.Context, key string, like connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	var none connectors.Object
	from, d, err := s.source(ctx, like, p)
	if err != nil {
		return none, s.fail("copy", like.Key, err)
	}
	size := p.Size()
	if size <= 2*s.opt.PartSize {
		b, err := s.compose(ctx, from, p, joined(p.Pieces), size)
		if err != nil {
			return none, s.fail("copy", like.Key, err)
		}
		return s.createIn(ctx, key, func() (connectors.Object, error) {
			return s.put(ctx, key, bytes.NewReader(b), size, d, condition{absent: true})
		})
	}
	read := func(part piece) ([]byte, error) { return s.compose(ctx, from, p, part.from, part.len) }
	o, err := s.createIn(ctx, key, func() (connectors.Object, error) {
		return s.multipart(ctx, key, from, plan(p.Pieces, s.partSize(size)), read, d, condition{absent: true}, p.Begun)
	})
	if errors.Is(err, connectors.ErrTemporary) { // perhaps it was the condition on like that failed
		if changed := s.exists(ctx, connectors.Ref{Key: like.Key, ETag: like.ETag}); changed != nil {
			return none, s.fail("copy", like.Key, changed)
		}
	}
	return o, err
}

// source looks at the current object that a patch is laid over. It returns its Ref with
// the version, and what stands beside its bytes.
func (s *Store) source(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Ref, *dress, error) {
	if err := ctx.Err(); err != nil {
		return old, nil, err
	}
	if old.ETag == "" {
		return old, nil, errors.New("an object is replaced or copied by its ETag, and none is given")
	}
	head, err := s.head(ctx, connectors.Ref{Key: old.Key, ETag: old.ETag}) // the current version
	if err != nil {
		return old, nil, err
	}
	version := aws.ToString(head.VersionId)
	if old.Version != "" && version != "" && version != old.Version {
		return old, nil, connectors.ErrChanged
	}
	old.Version = version
	if err := check(p, aws.ToInt64(head.ContentLength)); err != nil {
		return old, nil, err
	}
	d, err := s.look(ctx, old, head)
	return old, d, err
}

// check holds the pieces against the source.
func check(p connectors.Patch, size int64) error {
	for i, piece := range p.Pieces {
		switch {
		case piece.Off < 0 || piece.Len < 0:
			return fmt.Errorf("piece %d is %d bytes from %d", i, piece.Len, piece.Off)
		case piece.Spool && p.Spool == nil && piece.Len > 0:
			return fmt.Errorf("piece %d is in the spool, and there is none", i)
		case !piece.Spool && piece.Len > size-piece.Off:
			return fmt.Errorf("piece %d ends beyond the %d bytes of the source", i, size)
		}
	}
	return nil
}

// small gaps between pieces of the source are read over rather than asked for apart.
const readOver = 1 << 20

// compose gathers pieces of source and spool in memory.
func (s *Store) compose(ctx context.Context, old connectors.Ref, p connectors.Patch, pieces []connectors.Piece, size int64) ([]byte, error) {
	b := make([]byte, 0, size)
	var body io.ReadCloser
	var at int64
	defer func() {
		if body != nil {
			body.Close()
		}
	}()
	for i, piece := range pieces {
		n := int64(len(b))
		b = b[:n+piece.Len]
		dst := b[n:]
		if piece.Spool {
			if got, err := p.Spool.ReadAt(dst, piece.Off); int64(got) < piece.Len {
				if err == nil || errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return nil, fmt.Errorf("read %d bytes of the spool from %d: %w", piece.Len, piece.Off, err)
			}
			continue
		}
		if body != nil && (piece.Off < at || piece.Off-at > readOver) {
			body.Close()
			body = nil
		}
		if body == nil {
			opened, err := s.open(ctx, old, connectors.Range{Off: piece.Off, Len: reach(pieces[i:])})
			if err != nil {
				return nil, err
			}
			body, at = opened, piece.Off
		}
		_, err := io.CopyN(io.Discard, body, piece.Off-at)
		if err == nil {
			_, err = io.ReadFull(body, dst)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			// The piece is within the source as it was: the source is another one by
			// now, and the server did not see the condition in time.
			if changed := s.exists(ctx, old); changed != nil {
				return nil, changed
			}
			err = fmt.Errorf("%w: %w", connectors.ErrTemporary, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, fmt.Errorf("read the source: %w", err)
		}
		at = piece.Off + piece.Len
	}
	return b, nil
}

// reach is how many bytes of the source one read can serve, from the first piece on.
func reach(pieces []connectors.Piece) int64 {
	start := pieces[0].Off
	end := start
	for _, p := range pieces {
		if p.Spool {
			continue
		}
		if p.Off < end || p.Off-end > readOver {
			break
		}
		end = p.Off + p.Len
	}
	return end - start
}
