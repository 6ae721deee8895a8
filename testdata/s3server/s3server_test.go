package s3server

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestServer(t *testing.T) {
	for name, opts := range map[string]Options{"xattr or sidecar": {}, "sidecar": {Sidecar: true}, "users": {Users: map[string]string{"eraser": "eraser-local-only"}}} {
		t.Run(name, func(t *testing.T) {
			ctx, dir := context.Background(), t.TempDir()
			wd, _ := os.Getwd()
			s, err := Start(ctx, dir, opts)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Start(ctx, t.TempDir(), Options{}); err == nil {
				t.Error("a second server started in one process")
			}
			if got, _ := os.Getwd(); got != filepath.Join(dir, "data") {
				t.Errorf("working directory is %s: the failed start has pulled it away from under the first server", got)
			}
			if err := s.CreateBucket(ctx, "plain", false); err != nil {
				t.Fatal(err)
			}
			if err := s.CreateBucket(ctx, "versioned", true); err != nil {
				t.Fatal(err)
			}
			for _, bucket := range []string{"plain", "versioned"} {
				key := "a/b.txt"
				_, err := s.Client().PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("hello")})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if got, _ := os.Getwd(); got != wd {
				t.Errorf("after Close the working directory is %s, want %s", got, wd)
			}

			s, err = Start(ctx, dir, opts) // the data is there again
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			bucket, key := "versioned", "a/b.txt"
			out, err := s.Client().GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
			if err != nil {
				t.Fatal(err)
			}
			defer out.Body.Close()
			if b, err := io.ReadAll(out.Body); err != nil || string(b) != "hello" || out.VersionId == nil {
				t.Errorf("read back %q, version %v, error %v", b, out.VersionId, err)
			}
		})
	}
}
