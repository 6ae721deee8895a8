package main

import (
	"fmt"
	"strconv"
	"time"
)

// column is one field of a call record.
type column struct {
	name string
	bare bool // JSON without quotes: a number or a truth value
}

// columns are a call log's, as call-tracking services export them.
var columns = []column{
	{"id", false}, {"resource_id", true}, {"direction", false}, {"answered", true}, {"duration", true}, {"start_time", false},
	{"customer_phone_number", false}, {"formatted_customer_phone_number", false}, {"customer_name", false}, {"customer_email", false},
	{"customer_city", false}, {"customer_state", false}, {"customer_country", false}, {"tracking_phone_number", false}, {"business_phone_number", false},
	{"agent_email", false}, {"recording_url", false}, {"person_id", false}, {"visitor_id", false}, {"session_uuid", false}, {"provider_sid", false},
	{"source", false}, {"medium", false}, {"campaign", false}, {"landing_page_url", false}, {"timeline_url", false}, {"user_agent", false}, {"note", false},
}

// Consumers who asked have numbers NPA-555-01xx of these area codes; everyone
// else's number has an area code (x9x) that is never given to anyone.
var areaCodes = []int{404, 214, 201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 215, 216, 217, 218, 219, 224, 225, 228, 229, 231, 234, 239,
	240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304, 305, 307, 308, 309, 310, 312, 313, 314, 315, 316,
	317, 318, 319, 320, 321, 323, 325, 330, 334, 336, 337, 347, 352, 360, 361, 386, 401, 402, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415,
	417, 419, 423, 425, 432, 434, 440, 443, 469, 478, 479, 480, 484, 501, 502, 503, 504, 505, 507}

var (
	firsts  = []string{"jane", "omar", "lucia", "wei", "amara", "noah", "priya", "tomas", "ingrid", "kofi", "mei", "dario"}
	lasts   = []string{"doe", "haddad", "reyes", "chen", "okafor", "berg", "nair", "novak", "lund", "mensah", "sato", "conti"}
	cities  = []string{"Atlanta", "Dallas", "Laguna Beach", "Fresno", "Tulsa", "Reno", "Macon", "Boise"}
	states  = []string{"GA", "TX", "CA", "CA", "OK", "NV", "GA", "ID"}
	sources = []string{"Google Ads", "Direct", "Bing Organic", "Facebook", "Google My Business"}
	notes   = []string{
		"Caller asked about \"spring\" prices, wants a call back tomorrow",
		"New patient, insurance not yet known; sent the form by mail",
		"Wrong department, transferred to billing after 2 minutes",
		"", "Voicemail left", "Asked for a quote on 3 windows, 2 doors, and a skylight", "Existing customer: order 20817 is late",
	}
	agents = []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
	}
)

// maxConsumers is how many the area codes above have numbers for.
const maxConsumers = 10_000

// consumer is one who asked.
type consumer struct {
	phone string // ten digits
	email string // lower case
}

func consumerOf(i int) consumer {
	return consumer{
		phone: fmt.Sprintf("%d55501%02d", areaCodes[i/100%len(areaCodes)], i%100),
		email: fmt.Sprintf("%s.%s.c%d@example.com", firsts[i%12], lasts[i/12%12], i),
	}
}

// calls makes call records: the n-th is always the same.
type calls struct {
	consumers int
	every     int // one record in so many is a consumer's
	buf       []byte
	ends      []int
}

func mix(parts ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, p := range parts {
		h = (h ^ p) * 0xd6e8feb86659fd93
		h ^= h >> 32
		h *= 0xd6e8feb86659fd93
		h ^= h >> 29
	}
	return h
}

// owner is the consumer whose record the n-th is, or -1.
func (c *calls) owner(n int) int {
	h := mix(1, uint64(n))
	if h%uint64(c.every) != 0 {
		return -1
	}
	return int(h >> 32 % uint64(c.consumers))
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// record makes the n-th record; at(i) is the value of its i-th column.
func (c *calls) record(n int) {
	h, k := mix(2, uint64(n)), mix(3, uint64(n))
	c.buf, c.ends = c.buf[:0], c.ends[:0]
	who := c.owner(n)
	var phone, email string
	city, first, last := k%8, firsts[k>>8%12], lasts[k>>16%12]
	shape := int(h >> 24 % 16) // how the record writes what it knows of the caller
	if who >= 0 {
		asked := consumerOf(who)
		phone, email = asked.phone, asked.email
	} else {
		phone = fmt.Sprintf("%d9%d%07d", 2+h>>40%8, h>>44%10, k>>32%10_000_000)
		email = fmt.Sprintf("%s.%s.f%d@example.net", first, last, k>>40%5_000_000)
	}
	raw, pretty := "+1"+phone, phone[:3]+"-"+phone[3:6]+"-"+phone[6:]
	switch shape {
	case 0:
		raw, pretty = "", "" // withheld: the address alone tells
	case 1, 2:
		raw = "(" + phone[:3] + ") " + phone[3:6] + "-" + phone[6:]
	case 3:
		raw = phone[:3] + "." + phone[3:6] + "." + phone[6:]
	case 4:
		raw = "1" + phone
	case 5, 6, 7, 8, 9:
		email = ""
	case 10, 11:
		email = string(email[0]-0x20) + email[1:]
	}
	c.add("CAL").hex(h, 16).hex(k, 16).end()
	c.num(300_000_000 + h%90_000_000).end()
	c.add("inbound").end()
	c.add([]string{"true", "false"}[h>>8&1]).end()
	c.num(k >> 20 % 900).end()
	c.buf = epoch.Add(time.Duration(n)*7*time.Second).AppendFormat(c.buf, "2006-01-02T15:04:05.000")
	c.add("-05:00").end()
	c.add(raw).end()
	c.add(pretty).end()
	c.add(first).add(" ").add(last).end()
	c.add(email).end()
	c.add(cities[city]).end()
	c.add(states[city]).end()
	c.add("US").end()
	c.add("+1390555").num(1000 + k>>12%9000).end()
	c.add("+13905550100").end()
	c.add("agent").num(h >> 12 % 40).add("@desk.example.org").end()
	c.add("https://api.calls.example/v3/a/227799611/recordings/RE").hex(mix(4, h), 16).add(".json").end()
	c.add("PER").hex(mix(5, k), 16).hex(h, 16).end()
	c.hex(mix(6, k), 8).add("-1b2c-4d3e-8f40-").hex(k, 12).end()
	c.hex(mix(7, k), 8).add("-9a2b-4c3d-8e4f-").hex(h, 12).end()
	c.add("CA").hex(mix(8, k), 16).hex(mix(9, h), 16).end()
	c.add(sources[h>>16%5]).end()
	c.add("cpc").end()
	c.add("spring-").num(h >> 18 % 30).end()
	c.add("https://www.example.com/offers/").num(h>>10%500).add("?utm_source=google&utm_medium=cpc&utm_campaign=spring-").num(h>>18%30).add("&gclid=EAIaIQob").hex(mix(10, h), 16).end()
	c.add("https://app.calls.example/analytics/a/728790660/events/PER").hex(mix(5, k), 16).end()
	c.add(agents[h>>9%2]).end()
	c.add(notes[k>>18%7]).end()
}

func (c *calls) add(s string) *calls { c.buf = append(c.buf, s...); return c }
func (c *calls) num(v uint64) *calls { c.buf = strconv.AppendUint(c.buf, v, 10); return c }
func (c *calls) end()                { c.ends = append(c.ends, len(c.buf)) }
func (c *calls) hex(v uint64, n int) *calls {
	for i := n - 1; i >= 0; i-- {
		c.buf = append(c.buf, "0123456789abcdef"[v>>(4*i)&15])
	}
	return c
}

func (c *calls) at(i int) []byte {
	lo := 0
	if i > 0 {
		lo = c.ends[i-1]
	}
	return c.buf[lo:c.ends[i]]
}

// id is the id of the n-th record.
func (c *calls) id(n int) string {
	c.record(n)
	return string(c.at(0))
}

// appendJSON appends the record as a line of JSON.
func (c *calls) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i, col := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), col.name...), '"', ':')
		if col.bare {
			dst = append(dst, c.at(i)...)
			continue
		}
		dst = append(dst, '"')
		for _, b := range c.at(i) {
			if b == '"' || b == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, b)
		}
		dst = append(dst, '"')
	}
	return append(dst, '}', '\n')
}

// appendCSV appends the record as a line of CSV, quoted where it has to be.
func (c *calls) appendCSV(dst []byte) []byte {
	for i := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		v := c.at(i)
		quote := false
		for _, b := range v {
			quote = quote || b == ',' || b == '"' || b == '\n'
		}
		if !quote {
			dst = append(dst, v...)
			continue
		}
		dst = append(dst, '"')
		for _, b := range v {
			if b == '"' {
				dst = append(dst, '"')
			}
			dst = append(dst, b)
		}
		dst = append(dst, '"')
	}
	return append(dst, '\n')
}
