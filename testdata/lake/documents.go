package lake

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

func (f *file) account(l *Lake) string { return l.accounts[f.acct].name }

// fileRecord is the record that an object of its own is.
func (l *Lake) fileRecord(f *file) *rec { return l.record(f, 0, f.one) }

func recordingKey(l *Lake, f *file) string {
	r := l.fileRecord(f)
	return fmt.Sprintf("recordings/account=%s/%s.wav", f.account(l), l.recordingID(r))
}

func (l *Lake) recordingID(r *rec) string {
	if r.kind == own {
		return r.m.recording(r.j)
	}
	return "RE" + hexID(r.f.seed, 8)
}

func noteRecording(r *rec) {
	r.line = -1
	if r.kind == own {
		r.note(r.m, "recording_id", Linked, "(key): recording_id")
	}
}

// writeRecording writes a valid WAV of quiet noise, 8-bit mono at 8 kHz.
func writeRecording(l *Lake, f *file, w io.Writer) error {
	r := l.fileRecord(f)
	n := l.audioSize()/2 + r.rng.Int64N(l.audioSize())
	b := bytes.NewBuffer(make([]byte, 0, n+44))
	b.WriteString("RIFF")
	binary.Write(b, binary.LittleEndian, uint32(36+n))
	b.WriteString("WAVEfmt ")
	binary.Write(b, binary.LittleEndian, struct {
		Size             uint32
		Format, Channels uint16
		Rate, ByteRate   uint32
		Align, Bits      uint16
	}{16, 1, 1, 8000, 8000, 1, 8})
	b.WriteString("data")
	binary.Write(b, binary.LittleEndian, uint32(n))
	for range n {
		b.WriteByte(byte(120 + r.rng.IntN(16)))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// buildMeta makes the record of a recording: it has no number, only the call.
func buildMeta(r *rec) []byte {
	o := new(object)
	id := "RE" + hexID(r.rng.Uint64())
	if r.kind == own {
		id = r.link("recording_id", "recording_id", r.m.recording(r.j))
	}
	call := r.link("call_id", "call_id", r.callID())
	o.str("recording_id", id).str("call_id", call).num("duration", int64(r.rng.IntN(900))).num("channels", 1)
	o.str("status", pick(r.rng, []string{"completed", "completed", "deleted"})).str("recorded_at", r.rfc())
	o.str("media_url", "s3://acme-lake/recordings/"+id+".wav")
	return []byte(o.String())
}

func documentKey(l *Lake, f *file) string {
	return fmt.Sprintf("transcripts/account=%s/single/%s-%05d.json", f.account(l), f.date().Format("20060102"), f.n)
}

// buildTranscript makes a transcript document: a member's are of the calls 0 and 1.
func buildTranscript(r *rec) []byte {
	o := new(object)
	o.str("transcript_id", "GT"+hexID(r.rng.Uint64())).str("call_id", r.link("call_id", "call_id", r.callID())).str("created_at", r.rfc())
	var turns []string
	for i := range 2 + r.rng.IntN(4) {
		turn := new(object).str("speaker", []string{"agent", "customer"}[i%2])
		text := "Thank you for calling, how can I help?"
		if i == 1 {
			text = r.sentence("turns[].text")
		} else if i > 1 {
			text = pick(r.rng, []string{"Yes, that works.", "One moment please.", "The invoice says 1,250 dollars.", "It is 24 Main Street."})
		}
		turns = append(turns, turn.str("text", text).num("begin_ms", int64(i)*4100).String())
	}
	o.raw("turns", "["+strings.Join(turns, ",")+"]").str("summary", pick(r.rng, []string{"Quote requested.", "Appointment moved.", "No outcome."}))
	return []byte(o.String())
}

func captionKey(l *Lake, f *file) string {
	r := l.fileRecord(f)
	id := "CAL" + hexID(f.seed, 9)
	if r.kind == own {
		id = r.m.call(r.j)
	}
	return fmt.Sprintf("captions/account=%s/%s.vtt", f.account(l), id)
}

// captionLines is the number of lines of a caption file that are not blank: a
// header and three cues of two lines.
const captionLines = 7

// buildCaptions makes a caption file, whose call is in its name alone. Its second
// cue, record 4, is what was said.
func buildCaptions(r *rec) []byte {
	if r.kind == own {
		r.line = -1
		r.note(r.m, "call_id", Linked, "(key): call_id")
		r.j = 0 // and the number is said aloud
	}
	r.line = 4
	said := r.sentence("line")
	return fmt.Appendf(nil, "WEBVTT\n\n00:00:00.000 --> 00:00:04.000\n<v Agent>Thank you for calling.\n\n00:00:04.000 --> 00:00:09.500\n<v Customer>%s\n\n00:00:09.500 --> 00:00:12.000\n<v Agent>Noted.\n", said)
}

func writeCaptions(l *Lake, f *file, w io.Writer) error {
	_, err := w.Write(buildCaptions(l.fileRecord(f)))
	return err
}
