package s3

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"expunge/connectors"
	"expunge/connectors/storetest"
	"expunge/testdata/s3server"
)

var server *s3server.Server // one runs per process; set by TestMain only

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "s3test")
	if err != nil {
		log.Fatal(err)
	}
	server, err = s3server.Start(context.Background(), dir, s3server.Options{})
	if err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	if err := server.Close(); err != nil {
		log.Print(err)
		code = 1
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

var buckets atomic.Int64

func local(t *testing.T, versioned bool, change func(*Options)) *Store {
	t.Helper()
	bucket := fmt.Sprintf("test-%d", buckets.Add(1))
	if err := server.CreateBucket(t.Context(), bucket, versioned); err != nil {
		t.Fatal(err)
	}
	opt := Options{Name: "lake", Bucket: bucket, Endpoint: server.Endpoint, PathStyle: true, Region: server.Region, Versions: versioned,
		AccessKey: server.AccessKey, SecretKey: server.SecretKey, PartSize: minPart, Concurrency: 4}
	if change != nil {
		change(&opt)
	}
	s, err := New(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// refuses names the keys that versitygw cannot hold, being paths to it.
func refuses(key string) bool {
	if strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") || strings.Contains(key, "//") || strings.Contains(key, "\\") {
		return true
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

func TestLaws(t *testing.T) {
	for name, c := range map[string]struct {
		versioned bool
		prefix    string
	}{"plain": {false, ""}, "plain below a prefix": {false, "some/folder"}, "versioned": {true, ""}} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) connectors.Store {
				return local(t, c.versioned, func(o *Options) { o.Prefix = c.prefix })
			}, storetest.Options{Versions: c.versioned, Tree: true, Refuses: refuses})
		})
	}
}
