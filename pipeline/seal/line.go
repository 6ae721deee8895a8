package seal

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
)

// FromEnv opens the work key in the environment variable current, and the older
// keys in the variables old, each KeySize bytes in base64. Errors name the
// variable to set, never what is in it.
func FromEnv(env func(string) string, current string, old ...string) (*Keys, error) {
	var secrets [][]byte
	seen := map[string]string{}
	for _, v := range append([]string{current}, old...) {
		secret, err := ParseKey(v, env(v))
		if err != nil {
			return nil, fmt.Errorf("read work key: %w", err)
		}
		if other, twice := seen[string(secret)]; twice {
			return nil, fmt.Errorf("read work key: %s and %s hold the same key; name an old key once, and only while rotating", other, v)
		}
		seen[string(secret)] = v
		secrets = append(secrets, secret)
	}
	return Open(secrets[0], secrets[1:]...)
}

// ParseKey reads 32 bytes in base64 from line, the content of the environment
// variable named variable.
func ParseKey(variable, line string) ([]byte, error) {
	line = strings.TrimSpace(line)
	if line == "" {
		return nil, fmt.Errorf("environment variable %s is not set: it takes %d bytes in base64, as `expunge keys new` prints", variable, KeySize)
	}
	b, err := decode(line)
	if err != nil {
		return nil, fmt.Errorf("environment variable %s is not base64: it takes %d bytes in base64, as `expunge keys new` prints", variable, KeySize)
	}
	if len(b) != KeySize {
		return nil, fmt.Errorf("environment variable %s holds %d bytes, not %d, in base64: use a line that `expunge keys new` prints", variable, len(b), KeySize)
	}
	return b, nil
}

// ParseSigner reads an Ed25519 key pair from its seed, as ParseKey does.
func ParseSigner(variable, line string) (ed25519.PrivateKey, error) {
	seed, err := ParseKey(variable, line)
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// ParsePublic reads an Ed25519 public key in base64.
func ParsePublic(line string) (ed25519.PublicKey, error) {
	b, err := decode(strings.TrimSpace(line))
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, errors.New("not an Ed25519 public key (32 bytes in base64, as `expunge keys` prints)")
	}
	return ed25519.PublicKey(b), nil
}

// PublicLine is the form that ParsePublic reads.
func PublicLine(key ed25519.PublicKey) string { return base64.StdEncoding.EncodeToString(key) }

// NewKey reads a fresh key from random, which is crypto/rand.Reader but in tests.
func NewKey(random io.Reader) ([]byte, error) {
	b := make([]byte, KeySize)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return b, nil
}

// NewKeyLine is a fresh key as one line of base64, without a line end: a work
// key, or the seed of a signing key.
func NewKeyLine(random io.Reader) (string, error) {
	b, err := NewKey(random)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// decode takes base64 of either alphabet, with or without padding, since secret
// managers differ in what they keep. It is strict in all else.
func decode(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "-_") {
		return base64.RawURLEncoding.Strict().DecodeString(s)
	}
	return base64.RawStdEncoding.Strict().DecodeString(s)
}
