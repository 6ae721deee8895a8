package lake

import (
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// Event is a row of the GA4 export, nested as there.
type Event struct {
	EventDate      string         `parquet:"event_date,dict"`
	EventTimestamp int64          `parquet:"event_timestamp"` // microseconds
	EventName      string         `parquet:"event_name,dict"`
	EventParams    []EventParam   `parquet:"event_params,list"`
	UserID         *string        `parquet:"user_id,optional"`
	UserPseudoID   string         `parquet:"user_pseudo_id,dict"`
	Device         Device         `parquet:"device"`
	Traffic        *TrafficSource `parquet:"collected_traffic_source,optional"`
}

// EventParam is one key and its value.
type EventParam struct {
	Key   string     `parquet:"key,dict"`
	Value ParamValue `parquet:"value"`
}

// ParamValue has one of its fields.
type ParamValue struct {
	String *string  `parquet:"string_value,optional"`
	Int    *int64   `parquet:"int_value,optional"`
	Double *float64 `parquet:"double_value,optional"`
}

// Device is what the visitor used.
type Device struct {
	Category      string  `parquet:"category,dict"`
	AdvertisingID *string `parquet:"advertising_id,optional"`
}

// TrafficSource is where the visitor came from.
type TrafficSource struct {
	Gclid *string `parquet:"gclid,optional"`
}

// ContactRow is a row of the CRM's export: numbers are numbers there.
type ContactRow struct {
	UserID    int64     `parquet:"user_id"`
	Name      string    `parquet:"name"`
	Phone     *int64    `parquet:"phone,optional"`
	Alternate *float64  `parquet:"alternate_phone,optional"`
	Email     *string   `parquet:"email,optional"`
	Contact   *string   `parquet:"contact,optional"`
	City      string    `parquet:"city,dict"`
	Notes     string    `parquet:"notes"`
	UpdatedAt time.Time `parquet:"updated_at,timestamp(microsecond)"`
}

// writeRows writes Parquet, several row groups to a file, with another codec and
// page version from file to file.
func writeRows[T any](l *Lake, f *file, w io.Writer, build func(*rec) T) error {
	codec := []compress.Codec{&parquet.Snappy, &parquet.Zstd, &parquet.Gzip, &parquet.Uncompressed}[f.n%4]
	group := min(max(l.records(f)/3, 10), 5000)
	pw := parquet.NewGenericWriter[T](w, parquet.Compression(codec), parquet.MaxRowsPerRowGroup(group), parquet.DataPageVersion(1+f.n/4%2),
		parquet.PageBufferSize(64<<10), parquet.CreatedBy("lake", "1", "0"))
	batch := make([]T, 0, 256)
	flush := func() error {
		_, err := pw.Write(batch)
		batch = batch[:0]
		return err
	}
	if err := l.each(f, func(r *rec) error {
		if batch = append(batch, build(r)); len(batch) == cap(batch) {
			return flush()
		}
		return nil
	}); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	return pw.Close()
}

func writeEvents(l *Lake, f *file, w io.Writer) error { return writeRows(l, f, w, buildEvent) }

func writeContactRows(l *Lake, f *file, w io.Writer) error {
	return writeRows(l, f, w, buildContactRow)
}

// buildEvent makes a page event, reached by the visitor: of a member's, 1 has the
// address in a URL and 2 as a parameter of its own.
func buildEvent(r *rec) Event {
	m := r.m
	page := fmt.Sprintf("https://www.example.com/p/%d", r.rng.IntN(2000))
	e := Event{EventDate: r.time.Format("20060102"), EventTimestamp: r.time.UnixMicro(), EventName: pick(r.rng, []string{"page_view", "session_start", "generate_lead"}),
		Device: Device{Category: pick(r.rng, []string{"mobile", "desktop"})}}
	e.UserPseudoID = r.link("user_pseudo_id", "visitor_id", m.visitor)
	if r.rng.IntN(3) == 0 {
		e.Device.AdvertisingID = &m.device
		e.Traffic = &TrafficSource{&m.click}
	}
	switch {
	case r.kind == own && r.j == 1:
		page += "?email=" + r.emailAs("event_params[].value.string_value", "percent-encoded in query", Normalised, url.QueryEscape(m.email))
	case r.kind == own && r.j == 2:
		s := r.email("event_params[].value.string_value")
		e.EventParams = append(e.EventParams, EventParam{"email", ParamValue{String: &s}})
	case r.kind == own && r.j == 3:
		s := r.phone("event_params[].value.string_value", digits)
		e.EventParams = append(e.EventParams, EventParam{"lead_phone", ParamValue{String: &s}})
	case r.kind == near:
		page += "?email=" + url.QueryEscape(r.about.email+".evil.test")
	case r.kind == insideRun:
		page += "/order/" + national(r.about.phone) + "999"
	}
	session, engaged := r.time.Unix(), float64(r.rng.IntN(90))
	e.EventParams = append(e.EventParams, EventParam{"page_location", ParamValue{String: &page}}, EventParam{"ga_session_id", ParamValue{Int: &session}},
		EventParam{"engagement", ParamValue{Double: &engaged}})
	return e
}

// buildContactRow makes a CRM row.
func buildContactRow(r *rec) ContactRow {
	m := r.m
	row := ContactRow{UserID: m.user, Name: m.name, City: m.city, UpdatedAt: r.time, Notes: r.sentence("notes")}
	integer := func(s string) *int64 {
		var n int64
		if _, err := fmt.Sscan(s, &n); err != nil {
			panic(err)
		}
		return &n
	}
	switch r.kind {
	case own:
		r.note(m, "user_id", Exact, "user_id: id")
		if r.j == 0 {
			email := r.email("email")
			row.Phone, row.Email = integer(r.phone("phone: INT64", digits)), &email
			break
		}
		alternate, contact := float64(*integer(r.phone("alternate_phone: DOUBLE", digits))), r.phone("contact", bracket)
		row.Phone, row.Alternate, row.Contact = integer(r.phone("phone: INT64", plain11)), &alternate, &contact
	case near:
		row.Phone = integer(national(oneOff(r.about.phone)))
		email := "x" + r.about.email
		row.Email = &email
	case foreignPhone:
		row.UserID = r.about.user + 5000000
		row.Phone, row.Email = integer(national(r.about.phone)), &r.about.email
	default:
		row.Phone, row.Email = integer(national(m.phone)), &m.email
	}
	return row
}
