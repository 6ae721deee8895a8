// Package s3server runs an S3 server (versitygw, on a folder) inside the process,
// for tests, benchmarks and the demo. It listens on a free loopback port only. It
// is no part of the program that operators run.
//
// Two things follow from how the server is built. One instance runs per process
// at a time: Start fails while another one runs. And the server works with paths
// relative to its data folder, so that Start changes the working directory of the
// process, and Close changes it back: make paths absolute before Start.
//
// What this server cannot show of S3: an object "a" beside an object "a/b" (they
// are a file and a folder), storage classes, server-side encryption, object ACLs.
// Its listing of versions is not in byte order where a folder "a" stands beside
// "a-b", and repeats rows from page to page.
package s3server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

const (
	accessKey = "expunge"
	secretKey = "expunge-local-only"
	region    = "us-east-1"

	// Above this size the server refuses to copy an object (or a part) in one
	// request, as S3 does.
	copyThreshold = 5 << 30

	startTries = 5 // a free port may be taken between finding and binding it
	startWait  = 10 * time.Second
)

// Options changes what Start does; the zero value serves a test.
type Options struct {
	Addr    string            // "127.0.0.1:9000"; "" is a free loopback port
	Sidecar bool              // keep metadata in files beside the data even where the filesystem has xattrs
	Users   map[string]string // secrets by access key: users beside the root account, who may do what bucket policies allow
}

// Server is a running server.
type Server struct {
	Endpoint  string // "http://127.0.0.1:41234"
	AccessKey string
	SecretKey string
	Region    string

	stop   context.CancelFunc
	done   chan error // holds the one result of the server
	wd     string
	client *s3.Client
}

// Start runs a server that keeps its data below dir, which must exist. Data of an
// earlier server on dir is there again. ctx bounds the start only; Close ends the
// server.
func Start(ctx context.Context, dir string, opts Options) (*Server, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("start S3 server: %w", err)
	}
	wd, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("start S3 server: %w", err)
	}
	for range startTries {
		var s *Server
		if s, err = start(ctx, dir, wd, opts); err == nil {
			return s, nil
		}
		if chdirErr := os.Chdir(wd); chdirErr != nil {
			return nil, fmt.Errorf("start S3 server: %w", errors.Join(err, chdirErr))
		}
		if opts.Addr != "" || ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("start S3 server in %s: %w", dir, err)
}

func start(ctx context.Context, dir, wd string, opts Options) (*Server, error) {
	addr := opts.Addr
	if addr == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a port: %w", err)
		}
		addr = l.Addr().String()
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("find a port: %w", err)
		}
	}
	folder := func(name string) string { return filepath.Join(dir, name) }
	for _, d := range []string{"data", "versions", "sidecar", "iam"} {
		if err := os.MkdirAll(folder(d), 0o700); err != nil {
			return nil, err
		}
	}

	posixOpts := posix.PosixOpts{VersioningDir: folder("versions"), CopyObjectThreshold: copyThreshold}
	var attrs meta.MetadataStorer = meta.XattrMeta{}
	if opts.Sidecar || (meta.XattrMeta{}).Test(folder("data")) != nil {
		sidecar, err := meta.NewSideCar(folder("sidecar"))
		if err != nil {
			return nil, fmt.Errorf("open metadata folder: %w", err)
		}
		attrs, posixOpts.SideCarDir = sidecar, folder("sidecar")
	}
	backend, err := posix.New(folder("data"), attrs, posixOpts)
	if err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}

	cfg := &embedgw.Config{
		RootUserAccess: accessKey, RootUserSecret: secretKey, Region: region,
		Ports: []string{addr}, KeepAlive: true, Quiet: true, HealthPath: "/healthz",
		MaxConnections: 1024, MaxRequests: 512, MultipartMaxParts: 10000,
	}
	if len(opts.Users) > 0 {
		cfg.IAMDir = folder("iam")
		if err := writeUsers(filepath.Join(cfg.IAMDir, "users.json"), opts.Users); err != nil {
			return nil, err
		}
	}
	runCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{
		Endpoint: "http://" + addr, AccessKey: accessKey, SecretKey: secretKey, Region: region,
		stop: stop, done: make(chan error, 1), wd: wd,
	}
	go func() { s.done <- embedgw.RunVersityGW(runCtx, backend, cfg) }()
	if err := s.ready(ctx); err != nil {
		stop()
		return nil, err
	}
	s.client = s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint), UsePathStyle: true, Region: region,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
	return s, nil
}

// writeUsers writes the file in which the server keeps its users.
func writeUsers(file string, users map[string]string) error {
	accounts := map[string]auth.Account{}
	for access, secret := range users {
		accounts[access] = auth.Account{Access: access, Secret: secret, Role: auth.RoleUser}
	}
	b, err := json.Marshal(map[string]any{"accessAccounts": accounts})
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}

// ready waits until the server answers, has ended, or has been waited for long enough.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/healthz", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-s.done:
			s.done <- err
			if err == nil {
				err = errors.New("the server ended before it answered")
			}
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// CreateBucket makes a bucket; versioned turns versioning on.
func (s *Server) CreateBucket(ctx context.Context, name string, versioned bool) error {
	if _, err := s.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
		return fmt.Errorf("create bucket %s: %w", name, err)
	}
	if !versioned {
		return nil
	}
	return s.SetVersioning(ctx, name, true)
}

// CreateLockedBucket makes a versioned bucket that knows object locks.
func (s *Server) CreateLockedBucket(ctx context.Context, name string) error {
	_, err := s.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: aws.Bool(true)})
	if err != nil {
		return fmt.Errorf("create bucket %s: %w", name, err)
	}
	return nil
}

// SetVersioning turns the versioning of a bucket on, or suspends it.
func (s *Server) SetVersioning(ctx context.Context, bucket string, on bool) error {
	status := types.BucketVersioningStatusSuspended
	if on {
		status = types.BucketVersioningStatusEnabled
	}
	_, err := s.client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	})
	if err != nil {
		return fmt.Errorf("set versioning of bucket %s: %w", bucket, err)
	}
	return nil
}

// Client is a plain S3 client on the server, for what a test must arrange.
func (s *Server) Client() *s3.Client { return s.client }

// Close stops the server, waits until it has ended, and goes back to the working
// directory that was current before Start. The data stays. Close twice is once.
func (s *Server) Close() error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	s.stop = nil
	err := <-s.done
	return errors.Join(err, os.Chdir(s.wd))
}
