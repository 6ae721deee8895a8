package lake

import (
	"fmt"
	"strings"
)

// Config is a complete config of expunge for this lake, in YAML. lakeURL and
// workURL are directories or s3:// URLs; storeLines are further settings of the
// lake's store ("endpoint: http://…", "path_style: true").
func (l *Lake) Config(lakeURL, workURL string, storeLines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nname: lake\nwork: {url: %q, key_env: EXPUNGE_KEY}\nsigning: {key_env: EXPUNGE_SIGNING_KEY}\nstores:\n  lake:\n    url: %q\n", workURL, lakeURL)
	for _, line := range storeLines {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	// Small lakes hold few records a dataset: the limits only bite on large ones.
	b.WriteString("policy: {approval: required, max_erase_fraction: 0.5, min_records: 1000, max_run_records: 10000000, noncurrent: delete, cutoff: run, default_region: US, timezone: UTC}\n")
	b.WriteString("bundles: {encryption: none}\n")
	b.WriteString("ignore: [{at: \"lake/tmp/**\", reason: \"scratch of the loader, emptied daily\"}]\naccounts:\n")
	for _, a := range l.accounts {
		fmt.Fprintf(&b, "  %s: {ids: [%q, %q], business_numbers: [", a.name, a.acc, a.com)
		for i, n := range a.tracking {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%q", n)
		}
		b.WriteString("]}\n")
	}
	b.WriteString(datasetsYAML)
	return b.String()
}

const datasetsYAML = `datasets:
  - name: calls
    at: "lake/calls/account={account}/dt={date}/*.jsonl.gz"
    format: auto
    time: start_time
    category: commercial
    sources: ["calls to tracked numbers"]
    purposes: ["call attribution"]
    disclosed: [{to: "advertising networks", how: shared}]
    fields:
      id: {kind: call_id, link: true}
      customer_phone_number: {kind: phone, category: identifiers}
      formatted_customer_phone_number: {kind: phone, category: identifiers}
      tracking_phone_number: {party: business}
      business_phone_number: {party: business}
      recording_url: {kind: recording_id, link: true, pattern: "recordings/(?P<id>[^./]+)"}
      person_id: {kind: person_id, link: true}
      visitor_id: {kind: visitor_id, link: true}
      session_uuid: {kind: session_id, link: true}
      provider_sid: {kind: call_id, link: true}
      agent_email: {party: agent}
      note: {text: true}
  - name: twilio_calls
    at: "lake/twilio/account={account}/dt={date}/*"
    format: auto
    time: start_time
    category: commercial
    sources: ["calls to tracked numbers"]
    purposes: ["call routing"]
    disclosed: []
    fields:
      sid: {kind: call_id, link: true}
      from: {kind: phone, category: identifiers}
      to: {kind: phone, category: identifiers}
      from_formatted: {kind: phone, category: identifiers}
      to_formatted: {kind: phone, category: identifiers}
      note: {text: true}
  - name: connect_ctr
    at: "lake/ctr/account={account}/{date}/*"
    format: jsonl
    time: InitiationTimestamp
    category: commercial
    sources: ["calls to tracked numbers"]
    purposes: ["contact centre"]
    disclosed: []
    fields:
      ContactId: {kind: call_id, link: true}
      CustomerEndpoint.Address: {kind: phone, category: identifiers}
      SystemEndpoint.Address: {party: business}
      Agent.Username: {party: agent}
  - name: recordings
    at: "lake/recordings/account={account}/{recording_id}.{ext}"
    format: media
    category: sensory
    sources: ["calls to tracked numbers"]
    purposes: ["quality"]
    disclosed: []
    object: {recording_id: {kind: recording_id, link: true}}
    on_delete: {action: erase_object}
  - name: recording_meta
    at: "lake/recording-meta/account={account}/dt={date}/*.jsonl.gz"
    format: jsonl
    time: recorded_at
    category: commercial
    sources: ["calls to tracked numbers"]
    purposes: ["quality"]
    disclosed: []
    fields:
      recording_id: {kind: recording_id, link: true}
      call_id: {kind: call_id, link: true}
  - name: transcripts
    at: "lake/transcripts/account={account}/dt={date}/*.json"
    format: json
    time: created_at
    category: sensory
    sources: ["calls to tracked numbers"]
    purposes: ["quality"]
    disclosed: []
    fields:
      call_id: {kind: call_id, link: true}
      turns[].text: {text: true}
      summary: {text: true}
  - name: transcript_files
    at: "lake/transcripts/account={account}/single/*.json"
    format: json
    time: created_at
    category: sensory
    sources: ["calls to tracked numbers"]
    purposes: ["quality"]
    disclosed: []
    fields:
      call_id: {kind: call_id, link: true}
      turns[].text: {text: true}
      summary: {text: true}
  - name: captions
    at: "lake/captions/account={account}/{call_id}.vtt"
    format: text
    category: sensory
    sources: ["calls to tracked numbers"]
    purposes: ["quality"]
    disclosed: []
    object: {call_id: {kind: call_id, link: true}}
    on_delete: {action: erase_object}
  - name: ga4
    at: "lake/ga4/account={account}/date={date}/*.parquet"
    format: parquet
    time: event_timestamp
    category: internet_activity
    sources: ["web tracking"]
    purposes: ["web analytics"]
    disclosed: []
    fields:
      user_pseudo_id: {kind: visitor_id, link: true}
      device.advertising_id: {kind: device_id}
      collected_traffic_source.gclid: {kind: click_id}
  - name: segment
    at: "lake/segment-logs/account={account}/{date}/*.gz"
    format: jsonl
    time: receivedAt
    category: internet_activity
    sources: ["web tracking"]
    purposes: ["web analytics"]
    disclosed: []
    fields:
      messageId: {kind: message_id}
      anonymousId: {kind: visitor_id, link: true}
      userId: {kind: user_id}
      context.ip: {kind: ip}
      context.traits.email: {kind: email, category: identifiers}
  - name: ads
    at: "lake/ads/{account}/*.csv"
    format: csv
    time: Conversion Time
    category: commercial
    sources: ["calls to tracked numbers"]
    purposes: ["advertising"]
    disclosed: [{to: "advertising networks", how: shared}]
    fields:
      Google Click ID: {kind: click_id}
      hashed_phone: {kind: phone, category: identifiers}
      hashed_email: {kind: email, category: identifiers}
  - name: ads_tsv
    at: "lake/ads-tsv/{account}/*.tsv"
    format: tsv
    csv: {header: false, delimiter: "\t", columns: [gclid, conversion_time, hashed_phone, hashed_email, value]}
    time: conversion_time
    category: commercial
    sources: ["calls to tracked numbers"]
    purposes: ["advertising"]
    disclosed: [{to: "advertising networks", how: shared}]
    fields:
      gclid: {kind: click_id}
      hashed_phone: {kind: phone, category: identifiers}
      hashed_email: {kind: email, category: identifiers}
  - name: forms
    at: "lake/forms/account={account}/dt={date}/*.jsonl.gz"
    format: jsonl
    time: submitted_at
    category: commercial
    sources: ["web forms"]
    purposes: ["call attribution"]
    disclosed: []
    fields:
      id: {kind: form_id}
      person_id: {kind: person_id, link: true}
      session_uuid: {kind: session_id, link: true}
      customer_phone_number: {kind: phone, category: identifiers}
  - name: texts
    at: "lake/texts/{year}/{month}/*"
    format: jsonl
    account: {field: company_id}
    time: timestamp
    category: commercial
    sources: ["messages to tracked numbers"]
    purposes: ["call attribution"]
    disclosed: []
    fields:
      resource_id: {kind: message_id}
      source_number: {kind: phone, category: identifiers}
      destination_number: {kind: phone, category: identifiers}
      person_resource_id: {kind: person_id, link: true}
      content: {text: true}
  - name: crm
    at: "lake/crm/account={account}/{date}/*.parquet"
    format: parquet
    time: updated_at
    category: identifiers
    sources: ["uploads of the account"]
    purposes: ["call attribution"]
    disclosed: []
    fields:
      user_id: {kind: user_id, category: identifiers}
      phone: {kind: phone, category: identifiers}
      alternate_phone: {kind: phone, category: identifiers}
      email: {kind: email, category: identifiers}
      notes: {text: true}
`
