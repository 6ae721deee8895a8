package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"expunge/connectors"
)

// begun begins an upload as a foreign writer does that dies before it completes it.
func begun(store connectors.Store, key string, part []byte) (string, error) {
	var s *Store
	switch v := store.(type) {
	case *Store:
		s = v
	case overMarkers:
		s = v.Store
	}
	ctx, client := context.Background(), server.Client()
	up, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: s.bucket(), Key: s.key(key)})
	if err != nil {
		return "", err
	}
	_, err = client.UploadPart(ctx, &s3.UploadPartInput{Bucket: s.bucket(), Key: s.key(key), UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(part)})
	return aws.ToString(up.UploadId), err
}

// What a server does not let us see of its uploads is an error, and never "none".
func TestUploadsThatCannotBeListed(t *testing.T) {
	for _, c := range []struct {
		denied string // which of the two listings
		code   int
		name   string
		want   error
	}{
		{"uploads", 403, "AccessDenied", connectors.ErrDenied},
		{"uploads", 501, "NotImplemented", connectors.ErrUnsupported},
		{"uploadId", 403, "AccessDenied", connectors.ErrDenied},
		{"uploadId", 503, "SlowDown", connectors.ErrTemporary},
		{"uploadId", 404, "NoSuchUpload", nil}, // it was completed between the two
	} {
		s := remote(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has(c.denied) {
				reply(w, c.code, c.name, "")
				return
			}
			fmt.Fprint(w, `<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>u1</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>`)
		}), nil)
		if all, err := s.Uploads(t.Context(), "k"); !errors.Is(err, c.want) || len(all) > 0 {
			t.Errorf("%s answered with %s: %v, %v", c.denied, c.name, all, err)
		}
	}
}
