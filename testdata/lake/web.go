package lake

import (
	"fmt"
	"net/url"
	"strings"
)

// buildSegment makes a tracked event. A member's: 0 by address and visitor (the
// anchor), 1 with the address in a URL, 2 by short user id and a shouted address,
// 3 with the number alone, 4 by address in a browser that somebody else uses, too.
func buildSegment(r *rec) []byte {
	m := r.m
	visitor, page, address, user, phone := m.visitor, fmt.Sprintf("https://www.example.com/p/%d?ref=%d", r.rng.IntN(500), r.rng.IntN(90)), "", "", ""
	props := new(object).num("value", int64(r.rng.IntN(2000))).str("label", pick(r.rng, []string{"quote", "call", "book"}))
	switch r.kind {
	case own:
		switch r.j {
		case 0:
			visitor, address = r.link("anonymousId", "visitor_id", visitor), r.email("context.traits.email")
		case 1:
			visitor = r.link("anonymousId", "visitor_id", visitor)
			once := url.QueryEscape(m.email)
			page = "https://www.example.com/thanks?email=" + r.emailAs("context.page.url", "percent-encoded in query", Normalised, once)
			if m.person%2 == 0 {
				page = "https://www.example.com/go?u=" + url.QueryEscape("https://shop.example.com/?email="+once)
			}
		case 2:
			visitor = r.link("anonymousId", "visitor_id", visitor)
			r.note(m, "user_id", Exact, "userId: id")
			user, address = fmt.Sprint(m.user), r.emailAs("context.traits.email", "other case", Normalised, shout(m.email))
		case 3:
			visitor = uuid(r.rng.Uint64())
			phone = r.phone("properties.phone", digits)
		case 4:
			visitor, address = m.family(), r.email("context.traits.email")
		}
	case family, familyOther:
		visitor = r.about.family()
		r.note(r.about, "email", Review, "anonymousId: of a browser that two people use")
		if r.kind == familyOther {
			address = m.email
		}
	case near:
		page = "https://www.example.com/thanks?email=" + url.QueryEscape(r.about.email+".evil.test")
		address = "x" + r.about.email
		user = fmt.Sprint(r.about.user) + "0" + "00000"
	case mention:
		props.str("message", r.sentence("properties.message"))
	case foreignPhone:
		phone, address = r.about.phone, r.about.email
	default:
		if r.rng.IntN(3) == 0 {
			address = m.email
		}
		if r.rng.IntN(4) == 0 {
			user = fmt.Sprint(m.user)
		}
	}
	if phone != "" {
		props.str("phone", phone)
	}
	traits := new(object)
	if address != "" {
		traits.str("email", address)
	}
	o := new(object).str("messageId", "ajs-"+hexID(r.rng.Uint64())).str("anonymousId", visitor).opt("userId", user).str("type", "track").str("event", "Form Viewed")
	o.raw("context", new(object).str("ip", m.ip).raw("page", new(object).str("url", page).str("referrer", "https://www.example.net/").String()).
		raw("traits", traits.String()).str("userAgent", "Mozilla/5.0 (X11; Linux x86_64)").String())
	o.raw("properties", props.String()).str("receivedAt", r.rfc())
	return []byte(o.String())
}

// buildForm makes a form submission, whose fields have the names of the web form.
// A member's: 0 typed as people do, 1 with the number in JSON in JSON in a string,
// 2 with an escaped plus.
func buildForm(r *rec) []byte {
	m, o, data := r.m, new(object), new(object)
	person, session, number, integration := m.personID, uuid(r.rng.Uint64()), "null", "null"
	switch r.kind {
	case own:
		switch r.j {
		case 0:
			person = r.link("person_id", "person_id", person)
			data.str("Your Email", r.email("form_data.Your Email")).str("tel-602", r.phone("form_data.tel-602", wide))
		case 1:
			person, session = "", r.link("session_uuid", "session_id", m.session(0))
			inner := new(object).str("lead", new(object).str("mobile", r.phone("integration_data[].data: JSON in a string, twice", bracket)).num("score", 7).String())
			integration = quoted(inner.String())
			data.str("topic", "quote")
		case 2:
			person = ""
			number = `"\u002b` + r.phone("customer_phone_number: escaped plus", e164)[1:] + `"`
			data.str("topic", "call me")
		}
	case near:
		data.str("Your Email", r.about.email+".evil.test").str("tel-602", dashed(national(oneOff(r.about.phone))))
	case mention, insideRun:
		data.str("message", r.sentence("form_data.message")).str("tel-602", dashed(national(m.phone)))
	case foreignPhone:
		number = quoted(r.about.phone)
		data.str("Your Email", r.about.email)
	default:
		data.str("Your Email", m.email).str("tel-602", pick(r.rng, spokenForms).write(national(m.phone)))
	}
	o.str("id", "FOR"+hexID(r.rng.Uint64())).opt("person_id", person).str("session_uuid", session).raw("form_data", data.String())
	o.raw("customer_phone_number", number).str("form_url", fmt.Sprintf("https://www.example.com/contact/%d", r.rng.IntN(50)))
	o.raw("integration_data", `[{"integration":"webhook","data":`+integration+`}]`).str("submitted_at", r.rfc())
	return []byte(o.String())
}

// buildText makes a message. Which side is the consumer's depends on its direction.
// A member's last one comes through a chat channel and has no person.
func buildText(r *rec) []byte {
	m, o := r.m, new(object)
	inbound := r.rng.IntN(2) == 0
	side := map[bool]string{true: "source_number", false: "destination_number"}[inbound]
	number, person, media := r.caller(), m.personID, "[]"
	if r.kind == own {
		number = r.phone(side, e164)
		if r.j == 2 {
			person = ""
			number = "whatsapp:" + number
			r.notes = nil
			r.note(m, "phone", Normalised, side+": chat channel")
		} else {
			person = r.link("person_resource_id", "person_id", person)
		}
	}
	if r.kind == insideRun {
		media = `["https://media.example.com/ME` + national(r.about.phone) + `aaaaaaaaaaaaaaaaaaaaaa"]`
	}
	source, destination, direction := number, r.tracking(), "inbound"
	if !inbound {
		source, destination, direction = destination, source, "outbound"
	}
	o.str("resource_id", "SCI"+hexID(r.rng.Uint64())).str("company_id", r.l.accounts[r.acct].com).str("direction", direction)
	o.str("source_number", source).str("destination_number", destination).str("content", r.sentence("content"))
	o.str("message_type", "sms").raw("media_urls", media).opt("person_resource_id", person).str("timestamp", r.rfc())
	return []byte(o.String())
}

// buildAds makes a row of an upload to an ads network, where only digests stand.
// A member's second row was prepared badly: national digits, capital letters.
func buildAds(delimiter byte) func(*rec) []byte {
	return func(r *rec) []byte {
		m, phone, email := r.m, "", ""
		switch r.kind {
		case own:
			if r.j == 0 {
				phone, email = sha(m.phone), hashedEmail(m.email)
				r.note(m, "phone", Hashed, "hashed_phone: SHA-256 of E.164")
				r.note(m, "email", Hashed, "hashed_email: SHA-256")
			} else {
				phone = strings.ToUpper(sha(national(m.phone)))
				r.note(m, "phone", Hashed, "hashed_phone: SHA-256 of national digits, capitals")
			}
		case near:
			phone, email = sha(oneOff(r.about.phone)), sha(r.about.email+".evil.test")
		case foreignPhone:
			phone, email = sha(r.about.phone), hashedEmail(r.about.email)
		default:
			phone, email = sha(m.phone), hashedEmail(m.email)
		}
		return cells(delimiter, m.click, r.time.Format("2006-01-02 15:04:05+00:00"), phone, email, fmt.Sprintf("%d.00", r.rng.IntN(900)))
	}
}
