package s3

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type xmlKey struct {
	Key          string
	ETag         string
	Size         int
	LastModified string
	VersionId    string `xml:",omitempty"`
	IsLatest     bool
}
type xmlPrefix struct{ Prefix string }
type xmlList struct {
	XMLName             xml.Name `xml:"ListBucketResult"`
	IsTruncated         bool
	EncodingType        string
	Contents            []xmlKey
	CommonPrefixes      []xmlPrefix
	Version             []xmlKey
	DeleteMarker        []xmlKey
	NextKeyMarker       string
	NextVersionIdMarker string
}

// lister answers as S3 does, from sorted keys. With versions every key i has
// i%3+1 of them, and where i%5 is 0 the newest one is a marker.
func lister(t *testing.T, keys []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		out := xmlList{EncodingType: "url"}
		size, _ := strconv.Atoi(q.Get("max-keys"))
		prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
		after := q.Get("start-after") + q.Get("key-marker")
		from, exact := slices.BinarySearch(keys, after)
		idMarker := q.Get("version-id-marker")
		if exact && idMarker == "" {
			from++
		}
		rows, last := 0, ""
		for i := from; i < len(keys) && !out.IsTruncated; i++ {
			k := keys[i]
			if !strings.HasPrefix(k, prefix) {
				continue
			}
			if j := strings.Index(k[len(prefix):], "/"); delimiter != "" && j >= 0 {
				p := k[:len(prefix)+j+1]
				if p == last {
					continue
				}
				if rows == size {
					out.IsTruncated = true
					break
				}
				last = p
				out.CommonPrefixes = append(out.CommonPrefixes, xmlPrefix{url.QueryEscape(p)})
				rows++
				continue
			}
			row := xmlKey{Key: url.QueryEscape(k), ETag: `"e"`, Size: 1, LastModified: "2026-01-02T03:04:05Z", IsLatest: true}
			if q.Get("list-type") == "2" {
				if rows == size {
					out.IsTruncated = true
					break
				}
				out.Contents = append(out.Contents, row)
				rows++
				continue
			}
			for v := range i%3 + 1 {
				row.VersionId, row.IsLatest = fmt.Sprintf("v%d", v), v == 0
				if k == after && idMarker != "" && row.VersionId <= idMarker {
					continue
				}
				if rows == size {
					out.IsTruncated = true
					break
				}
				if v == 0 && i%5 == 0 {
					out.DeleteMarker = append(out.DeleteMarker, row)
				} else {
					out.Version = append(out.Version, row)
				}
				out.NextKeyMarker, out.NextVersionIdMarker = row.Key, row.VersionId
				rows++
			}
		}
		if err := xml.NewEncoder(w).Encode(out); err != nil && r.Context().Err() == nil {
			t.Log(err) // a listing that is done gives up what it fetched ahead
		}
	})
}

func remote(t *testing.T, h http.Handler, change func(*Options)) *Store {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	opt := Options{Name: "lake", Bucket: "lake", Endpoint: srv.URL, PathStyle: true, AccessKey: "a", SecretKey: "b", PartSize: minPart, Concurrency: 8}
	if change != nil {
		change(&opt)
	}
	s, err := New(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestListShards(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var deep, tiny, flat, mixed, days []string
	for a := range 40 {
		for d := range 30 {
			for p := range 20 {
				deep = append(deep, fmt.Sprintf("calls/account=%02d/dt=2026-01-%02d/part-%04d", a, d, p))
			}
		}
	}
	for i := range 9000 {
		tiny = append(tiny, fmt.Sprintf("t/%05d/x", i))
	}
	for range 25000 {
		flat = append(flat, fmt.Sprintf("rec/%016x.wav", rnd.Uint64()))
		mixed = append(mixed, []string{"a", "a/", "a-", "a/b", "a/b/", "a0", "é/", "z+ %/"}[rnd.IntN(8)]+strconv.FormatUint(rnd.Uint64()%50000, 36))
	}
	mixed = append(mixed, "a", "a/b", "a-b", "a-", "a0", "a/")
	for i := range 12000 {
		days = append(days, fmt.Sprintf("log/2026-%02d-%02dT%05d", i/1000+1, i/40%25+1, i))
	}
	for name, keys := range map[string][]string{"deep": deep, "tiny folders": tiny, "one folder": flat, "mixed": mixed, "times": days, "few": {"a", "b/c"}, "none": nil} {
		slices.Sort(keys)
		keys = slices.Compact(keys)
		for _, versions := range []bool{false, true} {
			for _, prefix := range []string{"", "calls/account=1", "a", "t/0"} {
				t.Run(fmt.Sprintf("%s/%q/versions=%t", name, prefix, versions), func(t *testing.T) {
					s := remote(t, lister(t, keys), func(o *Options) { o.Versions = versions })
					var want, got []string
					rows := 0
					for i, k := range keys {
						if strings.HasPrefix(k, prefix) {
							if rows++; versions {
								rows += i % 3
							}
							if !versions || i%5 != 0 {
								want = append(want, k)
							}
						}
					}
					for o, err := range s.List(t.Context(), prefix) {
						if err != nil {
							t.Fatal(err)
						}
						if versions != (o.Version != "") {
							t.Fatalf("version of %q is %q", o.Key, o.Version)
						}
						got = append(got, o.Key)
					}
					if !slices.Equal(got, want) {
						t.Fatalf("%d keys, want %d", len(got), len(want))
					}
					pages := rows/(pageSize-3) + 1
					if calls := int(s.Calls().List); calls > 2*pages+freeCalls+maxDepth+8 {
						t.Errorf("%d requests for %d pages", calls, pages)
					} else {
						t.Logf("%d requests for %d pages", calls, pages)
					}
				})
			}
		}
	}
}

func TestListLeftEarly(t *testing.T) {
	var keys []string
	for i := range 20000 {
		keys = append(keys, fmt.Sprintf("t/%05d/x", i))
	}
	s := remote(t, lister(t, keys), nil)
	for o, err := range s.List(t.Context(), "") {
		if err != nil || o.Key != keys[0] {
			t.Fatalf("first is %q, %v", o.Key, err)
		}
		break
	}
	ordered := func(w http.ResponseWriter, r *http.Request) {
		_ = xml.NewEncoder(w).Encode(xmlList{Contents: []xmlKey{{Key: "b"}, {Key: "a"}}})
	}
	for _, err := range remote(t, http.HandlerFunc(ordered), nil).List(t.Context(), "") {
		if err != nil {
			return
		}
	}
	t.Error("a server that lists out of order was believed")
}
