package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// A command that is interrupted ends at once with 130, whatever it waits for.
func TestInterrupted(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	config := filepath.Join(t.TempDir(), "expunge.yaml")
	err = os.WriteFile(config, []byte(`
version: 1
name: test
work: {url: "s3://work", endpoint: "http://`+ln.Addr().String()+`", path_style: true}
stores: {lake: {url: .}}
accounts: {acme: {}}
datasets: [{name: calls, at: "lake/calls/account={account}/*"}]
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	c, log := subprocess(t, "-c", config, "status")
	c.Env = append(c.Env, "EXPUNGE_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
		"AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=y", "AWS_EC2_METADATA_DISABLED=true")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept() // it waits for an answer now
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d: %s", code, log.String())
	}
}
