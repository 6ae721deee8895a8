package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/certificate"
	"expunge/pipeline/seal"
)

// signer is the key that certificates are signed with.
func (a *app) signer() (*certificate.Signer, ed25519.PublicKey, error) {
	name := a.cfg.Signing.KeyEnv
	if name == "" {
		return nil, nil, usage("the config names no signing key for certificates: set signing: {key_env: …} (`expunge keys new` makes a key)")
	}
	key, err := seal.ParseSigner(name, os.Getenv(name))
	if err != nil {
		return nil, nil, &coded{exitUsage, err}
	}
	s, err := certificate.NewSigner(a.cfg.Name, key)
	return s, key.Public().(ed25519.PublicKey), err
}

// verifyCertificate checks the certificate with which a request has ended.
func (a *app) verifyCertificate(ctx context.Context, ref pipeline.RequestRef) error {
	raw, err := certificate.Read(ctx, a.work, ref)
	if errors.Is(err, connectors.ErrNotFound) {
		return a.notCertified(ctx, ref)
	}
	if err != nil {
		return err
	}
	return a.verifyLogged(ctx, raw)
}

// notCertified names what there is of a request that has no certificate of its end.
func (a *app) notCertified(ctx context.Context, ref pipeline.RequestRef) error {
	var partial []string
	for o, err := range a.work.List(ctx, certificate.Root+ref.String()+"/") {
		if err != nil {
			return err
		}
		partial = append(partial, o.Key)
	}
	if len(partial) == 0 {
		return usage("request %s has no certificate", ref)
	}
	return usage("request %s has no certificate of its end, but partial ones: %s", ref, strings.Join(partial, ", "))
}

// verifyStored checks a certificate of the work store by its name there.
func (a *app) verifyStored(ctx context.Context, name string) error {
	raw, err := connectors.ReadAll(ctx, a.work, name)
	if errors.Is(err, connectors.ErrNotFound) {
		return usage("no such file: %s, neither here nor in work store %s", name, a.work.URL())
	}
	if err != nil {
		return err
	}
	return a.verifyLogged(ctx, raw)
}

// verifyLogged checks a certificate of the work store, and that the log still holds it.
func (a *app) verifyLogged(ctx context.Context, raw []byte) error {
	v, how, err := a.verifier(raw)
	if err != nil {
		return err
	}
	c, b, err := certificate.Verify(raw, v)
	if err != nil {
		return &coded{exitRefused, err}
	}
	if err := (&certificate.Log{Work: a.work}).Check(ctx, c.Log); err != nil {
		return &coded{exitRefused, err}
	}
	if err := certificate.CheckEarlier(ctx, a.work, b); err != nil {
		return &coded{exitRefused, err}
	}
	return a.flags.printCertificate(c, b, how)
}

// verifyFile checks a certificate offline.
func verifyFile(ctx context.Context, f *flags, raw []byte, publicKey string) error {
	var v *certificate.Verifier
	var how string
	var err error
	if publicKey != "" {
		v, err = certificate.VerifierFor(publicKey, raw)
	} else {
		var a *app
		if a, err = open(ctx, f); err == nil {
			v, how, err = a.verifier(raw)
		}
	}
	if err != nil {
		return err
	}
	c, b, err := certificate.Verify(raw, v)
	if err != nil {
		return &coded{exitRefused, err}
	}
	return f.printCertificate(c, b, how)
}

// verifier is that of the key of the config, the present one or an older, that a
// certificate is signed with; how says in words what is another than now.
func (a *app) verifier(raw []byte) (v *certificate.Verifier, how string, err error) {
	_, public, err := a.signer()
	if err != nil {
		return nil, "", err
	}
	v, which, err := certificate.VerifierAmong(raw, append([]ed25519.PublicKey{public}, a.cfg.Signing.OldKeys...))
	if errors.Is(err, certificate.ErrInvalid) {
		return nil, "", &coded{exitRefused, err}
	}
	if err != nil {
		return nil, "", err
	}
	now, err := certificate.NewVerifier(a.cfg.Name, public)
	if err != nil {
		return nil, "", err
	}
	switch {
	case which > 0:
		how = fmt.Sprintf("as %s, with a signing key of before", v.Name())
	case v.Name() != now.Name():
		how = fmt.Sprintf("as %s: the config had another name", v.Name())
	}
	return v, how, nil
}

func (f *flags) printCertificate(c *certificate.Certificate, b *certificate.Body, how string) error {
	if f.json {
		return printJSON(b)
	}
	fmt.Printf("certificate of %s, run %s, issued %s: signature and log proof are valid\n", b.Request, b.Run, b.Issued)
	if how != "" {
		fmt.Printf("  signed           %s\n", how)
	}
	for _, d := range slices.Sorted(maps.Keys(b.Dispositions)) {
		fmt.Printf("  %-16s %d\n", d, b.Dispositions[d])
	}
	if b.Redacted > 0 {
		fmt.Printf("  of them redacted %d\n", b.Redacted)
	}
	fmt.Printf("  objects          %d\n", len(b.Objects))
	for _, l := range b.VersionsLost {
		fmt.Printf("  lost             %s of other people with old version %s of %s, under approval %d\n", pipeline.Count(l.Records, "record", "records"), l.Version, l.Object, l.Approval)
	}
	fmt.Printf("  digest           %s, leaf %d of the log\n", c.Record(), c.Log.N)
	if !b.Complete {
		fmt.Printf("  PARTIAL: %s\n", strings.Join(append([]string{fmt.Sprintf("%d open, %d not examined", len(b.Open), len(b.NotExamined))}, b.NotCovered...), "; "))
	}
	printEarlier(b)
	return nil
}

// printEarlier names the certificates that a request had before, of what this one does
// not cover.
func printEarlier(b *certificate.Body) {
	for _, e := range b.Earlier {
		if e.Signer != "" {
			fmt.Printf("  earlier          %s, signed by another key, %s: check it with that one\n", e.File, e.Signer)
		} else {
			fmt.Printf("  earlier          %s, run %s, issued %s: %s\n", e.File, e.Run, e.Issued, dispositions(e.Dispositions))
		}
		fmt.Printf("    its digest     %s\n", e.Record)
	}
}

// dispositions is how many records came to what, in one line.
func dispositions(counts map[string]int64) string {
	var out []string
	for _, d := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s %d", d, counts[d]))
	}
	if out == nil {
		return "nothing was found"
	}
	return strings.Join(out, ", ")
}
