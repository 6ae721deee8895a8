package s3

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"expunge/connectors"
)

const pageSize = 1000

// errFolderOrder: the server lists versions folder by folder and not in byte order,
// so that keys fall between the pages. Such a bucket is walked (walk.go).
var errFolderOrder = errors.New("the server does not list in byte order")

// page is a run of rows with bucket keys in byte order. All rows of a key are in
// one page.
type page struct {
	rows []connectors.Version
	last string // the key to go on after
	more bool
}

// unescape decodes keys of a reply that says it is encoded: the rest may hold bytes
// that XML cannot. "+" is a space there, as in forms.
func unescape(encoding types.EncodingType, v *string) (string, error) {
	if v == nil || encoding != types.EncodingTypeUrl {
		return aws.ToString(v), nil
	}
	return url.QueryUnescape(*v)
}

// page reads the rows after a key.
func (s *Store) page(ctx context.Context, prefix, after string, versions bool) (page, error) {
	if versions {
		return s.versionsPage(ctx, prefix, after)
	}
	var token *string
	for {
		in := &s3.ListObjectsV2Input{Bucket: s.bucket(), Prefix: &prefix, EncodingType: types.EncodingTypeUrl, MaxKeys: aws.Int32(pageSize)}
		if in.ContinuationToken = token; token == nil {
			in.StartAfter = optional(after)
		}
		out, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return page{}, err
		}
		p := page{last: after, more: aws.ToBool(out.IsTruncated)}
		for _, o := range out.Contents {
			key, err := unescape(out.EncodingType, o.Key)
			if err != nil {
				return page{}, fmt.Errorf("decode a key: %w", err)
			}
			if key <= p.last && key != "" || !strings.HasPrefix(key, prefix) {
				return page{}, fmt.Errorf("%w: key %q after %q", connectors.ErrUnsupported, key, p.last)
			}
			p.last = key
			p.rows = append(p.rows, connectors.Version{Current: true, Object: connectors.Object{
				Ref: s.ref(key, "", aws.ToString(o.ETag)), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified), Class: class(string(o.StorageClass)),
			}})
		}
		if len(p.rows) > 0 || !p.more {
			return p, nil
		}
		if token = out.NextContinuationToken; token == nil { // an empty page may come before a full one
			return page{}, fmt.Errorf("%w: the listing stands still after %q", connectors.ErrUnsupported, after)
		}
	}
}

func class(c string) string {
	if c == "STANDARD" {
		return ""
	}
	return c
}

// versionsPage reads on until it has all rows of at least one key. The key that a
// reply ends in is left to the next page, which begins with it: not every server
// finds its way back into the middle of a key's versions.
func (s *Store) versionsPage(ctx context.Context, prefix, after string) (page, error) {
	var rows []connectors.Version
	keyMarker, idMarker := after, ""
	for {
		out, err := s.client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{
			Bucket: s.bucket(), Prefix: &prefix, EncodingType: types.EncodingTypeUrl, MaxKeys: aws.Int32(pageSize),
			KeyMarker: optional(keyMarker), VersionIdMarker: optional(idMarker),
		})
		if err != nil {
			return page{}, err
		}
		if foldersFirst(out.ResultMetadata) {
			return page{}, errFolderOrder
		}
		got, ordered, err := s.versionRows(out)
		if err != nil {
			return page{}, err
		}
		if !ordered {
			return page{}, errFolderOrder
		}
		for _, v := range got {
			if v.Key > after || after == "" { // some servers begin with the marker itself
				rows = append(rows, v)
			}
		}
		rows = merge(rows)
		if !aws.ToBool(out.IsTruncated) {
			return page{rows: rows}, nil
		}
		if n := len(rows); n > 0 && rows[0].Key != rows[n-1].Key {
			cut := slices.IndexFunc(rows, func(v connectors.Version) bool { return v.Key == rows[n-1].Key })
			return page{rows[:cut], rows[cut-1].Key, true}, nil
		}
		next, err := unescape(out.EncodingType, out.NextKeyMarker)
		if err != nil {
			return page{}, fmt.Errorf("decode a key: %w", err)
		}
		id := aws.ToString(out.NextVersionIdMarker)
		if next == keyMarker && id == idMarker {
			return page{}, fmt.Errorf("%w: the listing stands still after %q", connectors.ErrUnsupported, next)
		}
		keyMarker, idMarker = next, id
	}
}

// foldersFirst recognises versitygw by its name: it loses keys at page borders
// where "a-b" stands beside "a/", and nothing in the rows shows it.
func foldersFirst(m middleware.Metadata) bool {
	resp, ok := awsmiddleware.GetRawResponse(m).(*smithyhttp.Response)
	return ok && resp.Header.Get("Server") == "VERSITYGW"
}

// versionRows gives the rows of a reply, and whether its keys are in byte order.
func (s *Store) versionRows(out *s3.ListObjectVersionsOutput) (rows []connectors.Version, ordered bool, err error) {
	ordered = true
	last := ""
	for _, v := range out.Versions {
		key, err := unescape(out.EncodingType, v.Key)
		if err != nil {
			return nil, false, fmt.Errorf("decode a key: %w", err)
		}
		ordered = ordered && key >= last
		last = key
		rows = append(rows, connectors.Version{Current: aws.ToBool(v.IsLatest), Object: connectors.Object{
			Ref: s.ref(key, aws.ToString(v.VersionId), aws.ToString(v.ETag)), Size: aws.ToInt64(v.Size), Modified: aws.ToTime(v.LastModified), Class: class(string(v.StorageClass)),
		}})
	}
	last = ""
	for _, m := range out.DeleteMarkers {
		key, err := unescape(out.EncodingType, m.Key)
		if err != nil {
			return nil, false, fmt.Errorf("decode a key: %w", err)
		}
		ordered = ordered && key >= last
		last = key
		rows = append(rows, connectors.Version{Current: aws.ToBool(m.IsLatest), Deleted: true, Object: connectors.Object{
			Ref: s.ref(key, aws.ToString(m.VersionId), ""), Modified: aws.ToTime(m.LastModified),
		}})
	}
	return rows, ordered, nil
}

// merge puts rows by key, newest first, each once. A reply holds versions and
// markers in two lists, each newest first; the sort is stable, so that their order
// stands where the clock cannot tell, and there a marker goes before a version.
func merge(rows []connectors.Version) []connectors.Version {
	slices.SortStableFunc(rows, func(a, b connectors.Version) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		if a.Current != b.Current {
			if a.Current {
				return -1
			}
			return 1
		}
		if c := b.Modified.Compare(a.Modified); c != 0 {
			return c
		}
		if a.Deleted != b.Deleted {
			if a.Deleted {
				return -1
			}
			return 1
		}
		return 0
	})
	seen := map[string]bool{}
	key := ""
	return slices.DeleteFunc(rows, func(v connectors.Version) bool {
		if v.Key != key {
			key = v.Key
			clear(seen)
		}
		again := seen[v.Version]
		seen[v.Version] = true
		return again
	})
}
