// Package s3 is a connectors.Store on S3 and on servers that speak its protocol.
//
// Every write and every delete of a current object carries a condition; Probe
// shows whether a server honours them. Listings are sharded below List (see
// span.go), large reads and writes are cut in parts that travel in parallel, and
// Replace copies what did not change on the server's side.
//
// The SDK's own retries are off: one request is one attempt, and what is worth
// another one comes back as connectors.ErrTemporary. The retry policy lives in
// connectors/retry. The one exception is a body that ends early, which only the
// reader can resume: it goes on at the byte where the body stopped.
//
// Memory, beyond what callers hold: a listing buffers at most 8 × Concurrency pages
// of 1,000 rows, a reader Concurrency + 2 parts (none for objects of one part), a
// multipart write Concurrency + 1 parts. General purpose buckets only: directory
// buckets do not list in byte order. Objects encrypted with a customer's key
// (SSE-C) cannot be read.
package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"expunge/connectors"
)

const (
	minPart            = 5 << 20 // what S3 takes as a part that is not the last
	defaultPartSize    = 8 << 20
	defaultConcurrency = 8
)

// Options say which bucket, and how it is reached.
type Options struct {
	Name      string // the store's name, for Refs
	Bucket    string
	Prefix    string // a folder in the bucket; keys of the store are relative to it
	Endpoint  string // "" is AWS
	Region    string // "" is what the profile or the environment says, else us-east-1
	Profile   string // of the AWS settings, with its credentials and region; "" is the default chain
	PathStyle bool   // bucket in the path and not in the host name
	Versions  bool   // listings show version ids

	// Static credentials; without them the SDK's default chain is asked.
	AccessKey, SecretKey, SessionToken string

	PartSize    int64 // bytes; at least 5 MiB, 0 is 8 MiB. Objects of more than two parts are written in parts
	Concurrency int   // requests in flight for one listing, reader or write; 0 is 8

	// HTTPClient replaces the client, which keeps up to 256 connections to a host.
	HTTPClient aws.HTTPClient
}

// Store is a bucket, or a folder of one.
type Store struct {
	client *s3.Client
	opt    Options
	prefix string       // "" or ends in "/"
	own    *http.Client // nil where Options named one
	calls  counters

	mu    sync.Mutex
	turns map[string]*turn // keys that are being written
}

var (
	_ connectors.Versioner = (*Store)(nil)
	_ connectors.Labeller  = (*Store)(nil)
)

// New returns a store. It sends no request to the bucket; Check does.
func New(ctx context.Context, opt Options) (*Store, error) {
	if opt.Bucket == "" {
		return nil, errors.New("open S3 store: no bucket is named")
	}
	if opt.PartSize == 0 {
		opt.PartSize = defaultPartSize
	}
	if opt.PartSize < minPart {
		return nil, fmt.Errorf("open S3 store %s: parts of %d bytes are too small, S3 takes %d and more", opt.Bucket, opt.PartSize, minPart)
	}
	if opt.Concurrency <= 0 {
		opt.Concurrency = defaultConcurrency
	}
	s := &Store{opt: opt, prefix: opt.Prefix, turns: map[string]*turn{}}
	if opt.HTTPClient == nil {
		s.own = client()
		s.opt.HTTPClient = s.own
	}
	var cfg aws.Config
	if opt.AccessKey != "" {
		cfg.Credentials = credentials.NewStaticCredentialsProvider(opt.AccessKey, opt.SecretKey, opt.SessionToken)
		cfg.Region = opt.Region
	} else {
		var err error
		cfg, err = config.LoadDefaultConfig(ctx, config.WithRegion(opt.Region), config.WithSharedConfigProfile(opt.Profile))
		if err != nil {
			return nil, fmt.Errorf("open S3 store %s: load settings: %w", opt.Bucket, err)
		}
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if s.prefix != "" && !strings.HasSuffix(s.prefix, "/") {
		s.prefix += "/"
	}
	s.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if opt.Endpoint != "" {
			o.BaseEndpoint = &opt.Endpoint
		}
		o.UsePathStyle = opt.PathStyle
		o.HTTPClient = s.opt.HTTPClient
		o.Retryer = aws.NopRetryer{}
		// Bodies carry Content-MD5 and a signed SHA-256, which every server takes;
		// the SDK's trailing checksums are refused by some.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.APIOptions = append(o.APIOptions, s.calls.watch)
	})
	return s, nil
}

func client() *http.Client {
	t := &http.Transport{
		Proxy:        http.ProxyFromEnvironment,
		DialContext:  (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConns: 512, MaxIdleConnsPerHost: 256, MaxConnsPerHost: 256,
		IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 60 * time.Second,
		DisableCompression: true, // a stored Content-Encoding is part of the object
		WriteBufferSize:    64 << 10, ReadBufferSize: 64 << 10,
		// HTTP/2 puts parallel reads on one connection, which is slower.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Close gives back idle connections. The store can be used on.
func (s *Store) Close() error {
	if s.own != nil {
		s.own.CloseIdleConnections()
	}
	return nil
}

// URL is "s3://bucket/prefix".
func (s *Store) URL() string {
	u := "s3://" + s.opt.Bucket
	if s.prefix == "" {
		return u
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(s.prefix, "/"), "/") {
		u += "/" + url.PathEscape(segment)
	}
	return u
}

// ParseURL takes "s3://bucket/prefix" apart. The prefix is a folder: it comes back
// empty or with a "/" at its end.
func ParseURL(raw string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(raw, "s3://")
	if !ok {
		return "", "", fmt.Errorf("read store URL %q: it does not begin with s3://", raw)
	}
	if strings.ContainsAny(rest, "?#") {
		return "", "", fmt.Errorf("read store URL %q: write ? and # as %%3F and %%23", raw)
	}
	bucket, escaped, _ := strings.Cut(rest, "/")
	if bucket == "" {
		return "", "", fmt.Errorf("read store URL %q: no bucket is named", raw)
	}
	if prefix, err = url.PathUnescape(escaped); err != nil {
		return "", "", fmt.Errorf("read store URL %q: %w", raw, err)
	}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return bucket, prefix, nil
}

// key is the bucket's name of a key of the store.
func (s *Store) key(key string) *string { return aws.String(s.prefix + key) }

func (s *Store) bucket() *string { return &s.opt.Bucket }

func (s *Store) ref(key, version, etag string) connectors.Ref {
	return connectors.Ref{Store: s.opt.Name, Key: key, Version: version, ETag: bare(etag)}
}

// shown is the version id as Refs have it: none unless the store shows versions.
func (s *Store) shown(version *string) string {
	if !s.opt.Versions || version == nil {
		return ""
	}
	return *version
}

func quoted(etag string) *string { return aws.String(`"` + etag + `"`) }

func bare(etag string) string {
	if len(etag) >= 2 && etag[0] == '"' && etag[len(etag)-1] == '"' {
		return etag[1 : len(etag)-1]
	}
	return etag
}

func optional(v string) *string {
	if v == "" {
		return nil
	}
	return &v
}

// Calls counts requests by what they cost. Requests that failed count, too.
type Calls struct {
	List, Head, Get, Put, Delete int64
	Part, Copy, Multipart        int64 // parts sent; parts copied by the server; uploads begun, completed and aborted
	Other                        int64
}

type counters struct{ list, head, get, put, del, part, copied, multipart, other atomic.Int64 }

func (c *counters) watch(stack *middleware.Stack) error {
	n := &c.other
	switch stack.ID() {
	case "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads", "ListParts":
		n = &c.list
	case "HeadObject":
		n = &c.head
	case "GetObject":
		n = &c.get
	case "PutObject":
		n = &c.put
	case "DeleteObject":
		n = &c.del
	case "UploadPart":
		n = &c.part
	case "UploadPartCopy":
		n = &c.copied
	case "CreateMultipartUpload", "CompleteMultipartUpload", "AbortMultipartUpload":
		n = &c.multipart
	}
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("CountCalls",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			n.Add(1)
			return next.HandleFinalize(ctx, in)
		}), middleware.After)
}

// Calls tells how many requests the store has sent so far.
func (s *Store) Calls() Calls {
	c := &s.calls
	return Calls{List: c.list.Load(), Head: c.head.Load(), Get: c.get.Load(), Put: c.put.Load(), Delete: c.del.Load(),
		Part: c.part.Load(), Copy: c.copied.Load(), Multipart: c.multipart.Load(), Other: c.other.Load()}
}
