package certificate

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"expunge/pipeline/seal"
)

// algEd25519 is the note package's identifier of the only algorithm it has.
const algEd25519 = 1

// Signer signs certificates and the heads of their log.
type Signer struct {
	note.Signer
	own *Verifier // of what it signs
}

// NewSigner returns a signer that goes by name, which is the config's.
func NewSigner(name string, key ed25519.PrivateKey) (*Signer, error) {
	v, err := NewVerifier(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	seed := base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, key.Seed()...))
	s, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", v.Name(), v.KeyHash(), seed))
	if err != nil {
		return nil, fmt.Errorf("open signing key: %w", err)
	}
	return &Signer{s, v}, nil
}

// Verifier checks what a Signer of the same name and key signed.
type Verifier struct{ note.Verifier }

// Line is a public key with its name, for those who verify elsewhere.
func Line(name string, key ed25519.PublicKey) (string, error) {
	line, err := note.NewEd25519VerifierKey("expunge/"+noteName(name), key)
	if err != nil {
		return "", fmt.Errorf("open public key: %w", err)
	}
	return line, nil
}

// NewVerifier returns the verifier of a public key.
func NewVerifier(name string, key ed25519.PublicKey) (*Verifier, error) {
	line, err := Line(name, key)
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(line)
	if err != nil {
		return nil, fmt.Errorf("open public key: %w", err)
	}
	return &Verifier{v}, nil
}

// ParseVerifier reads a verifier in the form of Line.
func ParseVerifier(line string) (*Verifier, error) {
	v, err := note.NewVerifier(strings.TrimSpace(line))
	if err != nil {
		return nil, fmt.Errorf("open public key: it is not NAME+HASH+KEY as `expunge keys` prints it: %w", err)
	}
	return &Verifier{v}, nil
}

// VerifierFor reads the public key for a certificate: in the form of Line, or the
// key alone in base64. The key alone goes with the name that the certificate was
// signed under; who holds the key has signed under that name, or the check fails.
func VerifierFor(line string, raw []byte) (*Verifier, error) {
	key, err := seal.ParsePublic(line)
	if err != nil {
		return ParseVerifier(line)
	}
	c, _, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	name, _ := c.signer()
	full, err := note.NewEd25519VerifierKey(name, key)
	if err != nil {
		return nil, fmt.Errorf("open public key: %w", err)
	}
	return ParseVerifier(full)
}

// VerifierAmong is the verifier of the key, of those given, that a certificate says it is
// signed with, under the name that it says; ErrInvalid where it is none of them. which is
// the place of the key among them.
func VerifierAmong(raw []byte, keys []ed25519.PublicKey) (v *Verifier, which int, err error) {
	c, _, err := Parse(raw)
	if err != nil {
		return nil, 0, err
	}
	name, hash := c.signer()
	for i, key := range keys {
		line, err := note.NewEd25519VerifierKey(name, key)
		if err != nil {
			return nil, 0, fmt.Errorf("open public key: %w", err)
		}
		if v, err := note.NewVerifier(line); err == nil && v.KeyHash() == hash {
			return &Verifier{v}, i, nil
		}
	}
	return nil, 0, fmt.Errorf("%w: it says that it is signed as %q with key %08x, which is no signing key of the config: name the public key in signing.old_public_keys, or give --public-key", ErrInvalid, name, hash)
}

// signer is the name and the hash of the key that a certificate says it is signed with.
func (c *Certificate) signer() (name string, hash uint32) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(c.Signature, "— "), " ")
	if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest)); err == nil && len(b) > 4 {
		hash = binary.BigEndian.Uint32(b)
	}
	return name, hash
}

// noteName makes a name that notes allow: no spaces, no plus.
func noteName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '+' || r == '\uFFFD' || strings.ContainsRune(" \t\n\r\v\f\u0085\u00a0", r) {
			return '_'
		}
		return r
	}, s)
}

// sign returns the signature lines of a note of text.
func (s *Signer) sign(text string) (string, error) {
	signed, err := note.Sign(&note.Note{Text: text}, s.Signer)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return strings.TrimPrefix(string(signed), text+"\n"), nil
}

// verify checks signature lines against text.
func (v *Verifier) verify(text, lines string) error {
	n, err := note.Open([]byte(text+"\n"+lines), note.VerifierList(v.Verifier))
	if unknown := (*note.UnverifiedNoteError)(nil); errors.As(err, &unknown) {
		return fmt.Errorf("%w: it is not signed by %s", ErrInvalid, v.Name())
	}
	if err != nil || n.Text != text || len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0 {
		return fmt.Errorf("%w: its signature does not fit", ErrInvalid)
	}
	if _, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64); err != nil { // notes pass over bits at its end
		return fmt.Errorf("%w: its signature was written in another form", ErrInvalid)
	}
	return nil
}
