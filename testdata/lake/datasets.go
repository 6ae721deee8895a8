package lake

import (
	"fmt"
	"io"
	"time"
)

// allDatasets is the table of shapes. perRec is measured and bears on sizes only.
func allDatasets() []*dataset {
	gz := func(n int) string { return []string{"gzip", "gzip", "", "gzip", "gzip", "gzip"}[n%6] } // the third lies: plain bytes named .gz
	some := func(n int) string { return []string{"", "gzip"}[n%2] }                               // without a suffix that says so
	return []*dataset{
		{name: "calls", fraction: .25, perRec: 560, own: 4, codec: gz, decoys: []slotKind{mention, near, insideRun, agentsMail}, foreign: []slotKind{foreignPhone, foreignCall},
			key: hive("calls", "dt=", ".jsonl.gz"), build: buildCall, write: writeLines("", "\n")},
		{name: "twilio_calls", fraction: .08, perRec: 170, own: 4, decoys: []slotKind{mention, near, insideRun}, foreign: []slotKind{foreignPhone},
			key: func(l *Lake, f *file) string { return hive("twilio", "dt=", []string{".csv", ".csv.gz"}[f.n%2])(l, f) }, codec: some, build: buildTwilio,
			write: func(l *Lake, f *file, w io.Writer) error {
				return writeLines(twilioHeader, []string{"\n", "\r\n"}[f.n/2%2])(l, f, w)
			}},
		{name: "connect_ctr", fraction: .06, perRec: 230, own: 4, decoys: []slotKind{mention, near}, foreign: []slotKind{foreignPhone, foreignCall},
			key: hive("ctr", "", ""), codec: some, build: buildContact, write: writeLines("", "\n")},
		{name: "recordings", fraction: .12, perRec: 1, perCall: []int{0, 3},
			key: recordingKey, note: noteRecording, write: writeRecording},
		{name: "recording_meta", fraction: .04, perRec: 110, own: 4, decoys: nil, foreign: []slotKind{foreignCall},
			key: hive("recording-meta", "dt=", ".jsonl.gz"), codec: gz, build: buildMeta, write: writeLines("", "\n")},
		{name: "transcripts", fraction: .07, perRec: 480, own: 2, decoys: []slotKind{mention, insideRun}, foreign: []slotKind{foreignCall},
			key: hive("transcripts", "dt=", ".json"), build: buildTranscript, write: writeArray},
		{name: "transcript_files", fraction: .01, perRec: 480, perCall: []int{0}, decoys: []slotKind{mention},
			key: documentKey, build: buildTranscript, write: func(l *Lake, f *file, w io.Writer) error {
				return l.each(f, func(r *rec) error {
					_, err := w.Write(append(f.ds.build(r), '\n'))
					return err
				})
			}},
		{name: "captions", fraction: .02, perRec: 420, perCall: []int{3}, decoys: []slotKind{mention, insideRun},
			key: captionKey, note: func(r *rec) { buildCaptions(r) }, write: writeCaptions},
		{name: "ga4", fraction: .15, perRec: 190, own: 4, decoys: []slotKind{near, insideRun}, key: hive("ga4", "date=", ".parquet"),
			note: func(r *rec) { buildEvent(r) }, write: writeEvents},
		{name: "segment", fraction: .10, perRec: 280, own: 5, decoys: []slotKind{near, mention, family, familyOther}, foreign: []slotKind{foreignPhone}, codec: func(int) string { return "gzip" },
			key: hive("segment-logs", "", ".gz"), build: buildSegment, write: writeLines("", "\n")},
		{name: "ads", fraction: .03, perRec: 165, own: 2, decoys: []slotKind{near}, foreign: []slotKind{foreignPhone}, key: byID("ads", ".csv"), build: buildAds(','),
			write: writeLines("Google Click ID,Conversion Time,hashed_phone,hashed_email,Value", "\n")},
		{name: "ads_tsv", fraction: .02, perRec: 165, own: 2, decoys: []slotKind{near}, key: byID("ads-tsv", ".tsv"), build: buildAds('\t'), write: writeLines("", "\n")},
		{name: "forms", fraction: .03, perRec: 240, own: 3, decoys: []slotKind{near, mention, insideRun}, foreign: []slotKind{foreignPhone}, codec: gz,
			key: hive("forms", "dt=", ".jsonl.gz"), build: buildForm, write: writeLines("", "\n")},
		{name: "texts", fraction: .04, perRec: 190, own: 3, decoys: []slotKind{mention, near, insideRun}, foreign: []slotKind{foreignPhone}, byField: true,
			codec: func(n int) string { return []string{"", "zstd"}[n%2] }, build: buildText, write: writeLines("", "\n"),
			key: func(l *Lake, f *file) string {
				return fmt.Sprintf("texts/%s/part-%05d.jsonl%s", f.date().Format("2006/01"), f.n, []string{"", ".zst"}[f.n%2])
			}},
		{name: "crm", fraction: .03, perRec: 90, own: 2, decoys: []slotKind{near, mention}, foreign: []slotKind{foreignPhone}, key: hive("crm", "", ".parquet"),
			note: func(r *rec) { buildContactRow(r) }, write: writeContactRows},
	}
}

func hive(dir, day, ext string) func(*Lake, *file) string {
	return func(l *Lake, f *file) string {
		return fmt.Sprintf("%s/account=%s/%s%s/part-%05d%s", dir, l.accounts[f.acct].name, day, f.date().Format(time.DateOnly), f.n, ext)
	}
}

func byID(dir, ext string) func(*Lake, *file) string {
	return func(l *Lake, f *file) string {
		return fmt.Sprintf("%s/%s/upload-%05d%s", dir, l.accounts[f.acct].acc, f.n, ext)
	}
}

// rfc is a time of the record as most shapes write it.
func (r *rec) rfc() string { return r.time.Format("2006-01-02T15:04:05.000-07:00") }

func (r *rec) tracking() string { return pick(r.rng, r.l.accounts[r.acct].tracking) }

// caller is the number of a stranger's record: now and then withheld, in decoys
// nearly (or, in another account, exactly) the number of one who asked.
func (r *rec) caller() string {
	switch r.kind {
	case near:
		return oneOff(r.about.phone)
	case foreignPhone:
		return r.about.phone
	case filler:
		if r.rng.IntN(12) == 0 {
			return pick(r.rng, []string{"", "+17378742833", "+266696687", "anonymous"})
		}
	}
	return r.m.phone
}

// callID is the id of an own record's call; in the decoy, a call's in another account.
func (r *rec) callID() string {
	if r.kind == foreignCall {
		home := r.l.member((r.acct+len(r.l.accounts)-1)%len(r.l.accounts), r.about.person)
		return home.call(0)
	}
	if r.kind == filler {
		return "CAL" + hexID(r.rng.Uint64())
	}
	return r.m.call(r.j)
}
