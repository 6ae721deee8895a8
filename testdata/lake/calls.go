package lake

import (
	"fmt"
	"strings"
)

// buildCall makes a CallRail call. A member's calls: 0 by number and visitor (the
// anchor), 1 likewise, 2 without a visitor, 3 withheld.
func buildCall(r *rec) []byte {
	m, o := r.m, new(object)
	raw, pretty := r.caller(), ""
	switch {
	case r.kind == own && r.j < 3:
		raw = r.phone("customer_phone_number", e164)
		pretty = r.phone("formatted_customer_phone_number", dashes)
	case r.kind == own:
		raw = ""
	case strings.HasPrefix(raw, "+1"):
		pretty = dashed(national(raw))
	}
	visitor, id := m.visitor, r.callID()
	if r.kind == own && r.j == 2 {
		visitor = ""
	} else {
		visitor = r.link("visitor_id", "visitor_id", visitor)
	}
	agent := fmt.Sprintf("agent%d@desk.example.net", r.rng.IntN(40))
	if r.kind == agentsMail {
		agent = r.about.email
	}
	tracking, rec := r.tracking(), m.recording(r.j)
	session := m.session(r.j)
	if r.kind == filler {
		rec, session = "RE"+hexID(r.rng.Uint64()), uuid(r.rng.Uint64())
	}
	o.str("id", r.link("id", "call_id", id)).num("resource_id", int64(300000000+r.rng.IntN(90000000))).raw("answered", []string{"true", "false"}[r.rng.IntN(2)])
	o.opt("customer_phone_number", raw).opt("formatted_customer_phone_number", pretty).str("customer_name", m.name)
	o.str("customer_city", m.city).str("customer_state", m.state).str("customer_country", "US")
	o.str("tracking_phone_number", tracking).str("business_phone_number", r.l.accounts[r.acct].tracking[0])
	o.num("duration", int64(r.rng.IntN(900))).str("start_time", r.rfc()).str("created_at", r.rfc()).str("direction", "inbound")
	o.str("recording_url", "https://api.callrail.example/v3/a/227799611/recordings/"+r.link("recording_url", "recording_id", rec)+".json?access_key="+hexID(m.seed, 9, uint64(r.j))[:20])
	o.str("person_id", r.link("person_id", "person_id", m.personID))
	o.str("timeline_url", fmt.Sprintf("https://app.callrail.example/analytics/a/728790660/events/%s?event_id=%s&event_type=call", m.personID, id))
	o.opt("visitor_id", visitor).str("session_uuid", r.link("session_uuid", "session_id", session))
	sid := m.sid(r.j)
	if r.kind == filler || r.kind == own && r.j > 1 {
		sid = "CA" + hexID(r.rng.Uint64())
	}
	o.str("provider_sid", r.link("provider_sid", "call_id", sid))
	o.str("agent_email", agent).str("source", pick(r.rng, []string{"Google Ads", "Direct", "Bing Organic", "Facebook"}))
	page := fmt.Sprintf("https://www.example.com/quote/%d?utm_source=google&utm_medium=cpc", r.rng.IntN(500))
	o.str("landing_page_url", page)
	first := new(object).str("event_date", r.rfc()).str("campaign", fmt.Sprintf("spring-%d", r.rng.IntN(30))).str("device", pick(r.rng, []string{"Mobile", "Desktop"})).
		str("landing", page).raw("landing_page_url_params", `{"utm_source":"google","utm_medium":"cpc"}`).raw("referrer_url_params", "{}").str("medium", "CPC").str("source", "Google Ads")
	o.raw("milestones", new(object).raw("first_touch", first.String()).raw("lead_created", first.String()).String())
	o.raw("tags", `["new lead"]`).str("note", r.sentence("note"))
	return []byte(o.String())
}

const twilioHeader = "sid,parent_call_sid,direction,from,to,from_formatted,to_formatted,start_time,duration,price,caller_name,note"

// buildTwilio makes a call detail row. The consumer is from when inbound, else to.
// Only the first two calls of a member are known to calls by their sid.
func buildTwilio(r *rec) []byte {
	number, pretty := r.caller(), ""
	inbound := r.rng.IntN(3) > 0
	if r.kind == own {
		side := map[bool]string{true: "from", false: "to"}[inbound]
		f := e164
		if r.j == 3 {
			f = plain11
		}
		number, pretty = r.phone(side, f), r.phone(side+"_formatted", bracket)
	} else if strings.HasPrefix(number, "+1") {
		pretty = parens(national(number))
	}
	sid := "CA" + hexID(r.rng.Uint64())
	if r.kind == own {
		sid = r.m.sid(r.j)
		if r.j < 2 {
			sid = r.link("sid", "call_id", sid)
		}
	}
	tracking := r.tracking()
	from, to, fromPretty, toPretty, direction := number, tracking, pretty, parens(national(tracking)), "inbound"
	if !inbound {
		from, to, fromPretty, toPretty, direction = to, from, toPretty, fromPretty, "outbound-dial"
	}
	note := r.sentence("note")
	if r.index%3 == 0 {
		note = "\"Checked\"\n" + note
	}
	return cells(',', sid, "", direction, from, to, fromPretty, toPretty, r.time.Format("Mon, 02 Jan 2006 15:04:05 +0000"), fmt.Sprint(r.rng.IntN(900)), "-0.0085", strings.ToUpper(r.m.city), note)
}

// buildContact makes an Amazon Connect contact trace record. Each contact of a
// member is delivered twice: only the later version has all attributes.
func buildContact(r *rec) []byte {
	o, number, contact := new(object), r.caller(), uuid(r.rng.Uint64())
	attributes := new(object).str("Acct_Code", fmt.Sprint(r.rng.IntN(1000))).str("PathCode", "sales")
	version := 0
	switch r.kind {
	case own:
		number = r.phone("CustomerEndpoint.Address", e164)
		contact, version = r.m.contact(r.j/2), r.j%2
		contact = r.link("ContactId", "call_id", contact)
		if version == 1 {
			attributes.str("Acct_Email", r.email("Attributes.Acct_Email"))
			attributes.str("callback", r.phone("Attributes.callback", bracket))
		}
	case foreignCall:
		contact = r.l.member((r.acct+len(r.l.accounts)-1)%len(r.l.accounts), r.about.person).contact(0)
	case mention, near:
		attributes.str("remark", r.sentence("Attributes.remark"))
	}
	o.str("AWSContactTraceRecordFormatVersion", "2017-03-10").str("ContactId", contact).str("Channel", "VOICE").str("InitiationMethod", "INBOUND")
	if number == "" || number == "anonymous" {
		o.raw("CustomerEndpoint", "null")
	} else {
		o.raw("CustomerEndpoint", new(object).str("Address", number).str("Type", "TELEPHONE_NUMBER").String())
	}
	o.raw("SystemEndpoint", new(object).str("Address", r.tracking()).str("Type", "TELEPHONE_NUMBER").String())
	o.raw("Attributes", attributes.String()).raw("Agent", new(object).str("Username", fmt.Sprintf("agent%d", r.rng.IntN(40))).String())
	o.str("InitiationTimestamp", r.time.Format("2006-01-02T15:04:05Z")).str("LastUpdateTimestamp", r.time.AddDate(0, 0, 3*version).Format("2006-01-02T15:04:05Z"))
	return []byte(o.String())
}
