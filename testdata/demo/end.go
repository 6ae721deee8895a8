package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"expunge/testdata/lake"
)

// traces are the records in all versions of the lake's objects that hold the phone
// or the address of a consumer, by the account that they belong to.
type traces struct {
	consumer lake.Request
	of       map[string]int
}

func (t traces) own() int { return t.of[t.consumer.Account] }

func (t traces) others() int {
	n := 0
	for account, records := range t.of {
		if account != t.consumer.Account && account != "" {
			n += records
		}
	}
	return n
}

// consumer is one who asked for deletion by phone and address.
func (d *demo) consumer() (lake.Request, error) {
	for _, r := range d.lake.Requests() {
		kinds := map[string]bool{}
		for _, id := range r.Identifiers {
			kinds[id.Kind] = true
		}
		if kinds["phone"] && kinds["email"] && len(r.Identifiers) == 2 && slices.Contains(r.Rights, "delete") && slices.Contains(r.Rights, "access") {
			return r, nil
		}
	}
	return lake.Request{}, errors.New("nobody in the lake asked for access and deletion by phone and address")
}

// traces searches every version that the store gives, unpacked, for all writings of
// what the consumer's request names.
func (d *demo) traces(ctx context.Context, consumer lake.Request) (traces, error) {
	t := traces{consumer, map[string]int{}}
	var writings []*regexp.Regexp
	for _, id := range consumer.Identifiers {
		writings = append(writings, lake.Writings(id)...)
	}
	holds := func(text string) bool {
		text = lake.Agents.ReplaceAllString(text, "")
		return slices.ContainsFunc(writings, func(w *regexp.Regexp) bool { return w.MatchString(text) })
	}
	owners, err := d.owners(holds)
	if err != nil {
		return t, err
	}
	versions, err := d.versions(ctx)
	if err != nil {
		return t, err
	}
	for _, v := range versions {
		body, err := d.version(ctx, v)
		if err != nil {
			return t, err
		}
		records, err := lake.Records(v.key, body)
		if err != nil {
			return t, fmt.Errorf("read %s: %w", v.key, err)
		}
		n := 0
		for _, text := range records {
			if holds(text) {
				t.of[owners[v.key][text]]++
				n++
			}
		}
		if n == 0 && holds(string(body)) { // such as the statistics of a Parquet footer
			return t, fmt.Errorf("%s holds a value of the consumer outside its records", v.key)
		}
	}
	return t, nil
}

// owners says of the lake's records of which holds is true whose they are, by key and text.
func (d *demo) owners(holds func(string) bool) (map[string]map[string]string, error) {
	owners := map[string]map[string]string{}
	for f := range d.lake.Files() {
		var body bytes.Buffer
		if err := f.Write(&body); err != nil {
			return nil, err
		}
		records, err := lake.Records(f.Key, body.Bytes())
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Key, err)
		}
		owners[f.Key] = map[string]string{}
		for i, text := range records {
			if holds(text) {
				owners[f.Key][text] = d.lake.Owner(f.Key, int64(i))
			}
		}
	}
	return owners, nil
}

// version reads one version of an object.
func (d *demo) version(ctx context.Context, v version) ([]byte, error) {
	out, err := d.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(lakeBucket), Key: &v.key, VersionId: &v.id})
	if err != nil {
		return nil, fmt.Errorf("get version %s of %s: %w", v.id, v.key, err)
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// end brings the request of one consumer to its end: what waits for review is
// decided, erased as well, and certified. Then nothing of the consumer may be left.
func (d *demo) end(ctx context.Context, run string, before traces) error {
	request := before.consumer.Account + "/" + before.consumer.ID
	decisions, err := d.decide(ctx, run, request)
	if err != nil {
		return err
	}
	if err := d.steps(ctx, []step{
		{"What speaks of the consumer in free text a person decides on: it goes, too.", []string{"review", run, "--decide", decisions, "--by", "demo"}, nil},
		{"The decisions are acted on by the next run.", []string{"run", "--request", request}, []int{3}},
	}); err != nil {
		return err
	}
	last, err := d.lastRun(ctx)
	if err != nil {
		return err
	}
	if err := d.steps(ctx, []step{
		{"Approved as well,", []string{"approve", last, "--by", "demo"}, nil},
		{"and erased: the request comes to its end.", []string{"erase", last}, nil},
	}); err != nil {
		return err
	}
	if err := d.download(ctx); err != nil {
		return err
	}
	certificate := filepath.Join(d.shown, "out", "certificates", before.consumer.Account, before.consumer.ID+".json")
	if err := d.steps(ctx, []step{{"The certificate is proof to whoever has the public key, offline.", []string{"verify", certificate}, nil}}); err != nil {
		return err
	}
	fmt.Println("# Is the number gone? Every byte of every version that the store gives, unpacked, and searched\n" +
		"# for the consumer's number and address in all writings, digests included.")
	after, err := d.traces(ctx, before.consumer)
	if err != nil {
		return err
	}
	fmt.Printf("before    %d records of %s hold the consumer's number or address, %d of other accounts do\n", before.own(), before.consumer.Account, before.others())
	fmt.Printf("after     %d records of %s, %d of other accounts, which nobody asked to touch\n\n", after.own(), before.consumer.Account, after.others())
	switch {
	case before.own() == 0 || before.others() == 0:
		return errors.New("the lake held nothing of the consumer, so this shows nothing")
	case after.own() > 0:
		return errors.New("the consumer is still in the lake")
	case after.others() != before.others():
		return errors.New("records of other accounts were touched")
	}
	return nil
}

// decide writes the decisions on what a run left for review on a request: mentions
// are the consumer's; what a shared browser brought in is not.
func (d *demo) decide(ctx context.Context, run, request string) (string, error) {
	out, err := d.command(ctx, "review", run, "--request", request, "--json").Output()
	if err != nil {
		return "", fmt.Errorf("list what is to be reviewed: %w", err)
	}
	var lines bytes.Buffer
	e := json.NewEncoder(&lines)
	for in := json.NewDecoder(bytes.NewReader(out)); in.More(); {
		var row map[string]any
		if err := in.Decode(&row); err != nil {
			return "", fmt.Errorf("list what is to be reviewed: %w", err)
		}
		row["decision"], row["reason"] = "exclude", "of the household's other person"
		if row["tier"] == string(lake.Mention) {
			row["decision"], row["reason"] = "include", "it is the consumer who is spoken of"
		}
		if err := e.Encode(row); err != nil {
			return "", err
		}
	}
	return filepath.Join(d.shown, "review.jsonl"), os.WriteFile(d.path("review.jsonl"), lines.Bytes(), 0o600)
}
