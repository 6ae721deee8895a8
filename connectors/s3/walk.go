package s3

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"expunge/connectors"
)

// walk yields versions folder by folder, for servers whose flat listing is not in
// byte order. It holds the rows of one folder per level in memory.
func (s *Store) walk(ctx context.Context, prefix string, yield func(connectors.Version) bool) (bool, error) {
	var rows []connectors.Version
	folders := map[string]bool{}
	keyMarker, idMarker := "", ""
	for {
		out, err := s.client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{
			Bucket: s.bucket(), Prefix: &prefix, Delimiter: aws.String("/"), EncodingType: types.EncodingTypeUrl, MaxKeys: aws.Int32(pageSize),
			KeyMarker: optional(keyMarker), VersionIdMarker: optional(idMarker),
		})
		if err != nil {
			return false, err
		}
		got, _, err := s.versionRows(out)
		if err != nil {
			return false, err
		}
		before := len(rows) + len(folders)
		for _, v := range got {
			if strings.HasPrefix(v.Key, prefix) {
				rows = append(rows, v)
			}
		}
		rows = merge(rows)
		for _, f := range out.CommonPrefixes {
			folder, err := unescape(out.EncodingType, f.Prefix)
			if err != nil {
				return false, fmt.Errorf("decode a key: %w", err)
			}
			if len(folder) > len(prefix) && strings.HasPrefix(folder, prefix) {
				folders[folder] = true
			}
		}
		if !aws.ToBool(out.IsTruncated) {
			break
		}
		next, err := unescape(out.EncodingType, out.NextKeyMarker)
		if err != nil {
			return false, fmt.Errorf("decode a key: %w", err)
		}
		id := aws.ToString(out.NextVersionIdMarker)
		if next == keyMarker && id == idMarker && len(rows)+len(folders) == before {
			return false, fmt.Errorf("%w: the listing stands still after %q", connectors.ErrUnsupported, next)
		}
		// A page that begins after a whole key needs no version id, which this kind
		// of server may not find again; the repeated rows are merged away.
		if keyMarker, idMarker = next, id; len(rows) > 0 {
			last := rows[len(rows)-1].Key
			if i := slices.IndexFunc(rows, func(v connectors.Version) bool { return v.Key == last }); i > 0 && len(rows)+len(folders) > before && len(rows)-i < pageSize/2 && next == last {
				keyMarker, idMarker = rows[i-1].Key, ""
			}
		}
	}
	names := make([]string, 0, len(folders))
	for f := range folders {
		names = append(names, f)
	}
	slices.Sort(names)
	for _, v := range rows {
		for len(names) > 0 && names[0] < v.Key {
			if ok, err := s.walk(ctx, names[0], yield); !ok || err != nil {
				return ok, err
			}
			names = names[1:]
		}
		if !yield(v) {
			return false, nil
		}
	}
	for _, f := range names {
		if ok, err := s.walk(ctx, f, yield); !ok || err != nil {
			return ok, err
		}
	}
	return true, nil
}
