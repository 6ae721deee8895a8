package seal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A document is a JSON object in a file of the work store that people may read,
// and that nobody without the work key can write: its last field, "mac", is a MAC
// of the file's name and of every byte before it, under a key of the document's
// purpose and account. So it can be neither changed nor put in another's place.

// Document names a file that is authenticated.
type Document struct {
	Purpose string
	Account string // "": of none
	File    string // its key in the work store
}

const macField = ",\n  \"mac\": \""

// Write returns v, which must be a JSON object with at least one field and none
// named "mac", as the content of the document.
func (k *Keys) Write(d Document, v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", d.File, err)
	}
	head, ok := bytes.CutSuffix(b, []byte("\n}"))
	if !ok {
		return nil, fmt.Errorf("write %s: %w", d.File, errors.New("it is no object with fields"))
	}
	return k.close(d, head), nil
}

// close ends a document with its MAC.
func (k *Keys) close(d Document, head []byte) []byte {
	mac := k.authenticate(d.Purpose, d.Account, d.bound(head))
	return append(append(append(head, macField...), mac...), "\"\n}\n"...)
}

// Read checks that b is what Write made of the document, and decodes it into v.
// Any other content is ErrForged.
func (k *Keys) Read(d Document, b []byte, v any) error {
	head, _, err := k.open(d, b)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(append(head, "\n}"...), v); err != nil {
		return fmt.Errorf("read %s: %w", d.File, err)
	}
	return nil
}

// open checks a document and gives it without its MAC, which stands apart.
func (k *Keys) open(d Document, b []byte) (head []byte, mac string, err error) {
	at := bytes.LastIndex(b, []byte(macField))
	if at < 0 {
		return nil, "", d.forged("it has no MAC")
	}
	mac, ok := strings.CutSuffix(string(b[at+len(macField):]), "\"\n}\n")
	if !ok {
		return nil, "", d.forged("something follows its MAC")
	}
	head = b[:at:at]
	if err := k.verify(d.Purpose, d.Account, d.bound(head), mac); err != nil {
		return nil, "", fmt.Errorf("read %s: it was not written with this work key, or was changed or moved since (%w): "+
			"set the key that wrote it, or put the file back from a copy of the work store", d.File, err)
	}
	return head, mac, nil
}

func (d Document) forged(why string) error {
	return fmt.Errorf("read %s: %s, so it was not written by this program, or was changed since: "+
		"put the file back from a copy of the work store: %w", d.File, why, ErrForged)
}

// bound is what the MAC is over: the length of the name, the name, the content.
func (d Document) bound(head []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(d.File)))
	return append(append(b, d.File...), head...)
}
