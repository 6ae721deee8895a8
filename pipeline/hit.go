package pipeline

// ObjectRef is an object as outputs name it. Key never leaves the process in
// clear where Identifying is set: outputs show Shown and the sealed URL.
type ObjectRef struct {
	URL         string // of the object, percent-encoded per segment
	Shown       string // the URL, redacted where the key identifies a person
	Identifying bool
	ID          string // keyed digest of the URL, hex
	Version     string // "" where the store keeps none
	ETag        string
	Size        int64
}

// Hit is a record (or a whole object) that belongs to a request, and why.
type Hit struct {
	Request RequestRef
	Dataset string
	Object  int   // index of the object in its batch
	Record  int64 // absolute ordinal; -1: the whole object or version
	Group   int   // Parquet row group, else -1
	Offset  int64 // line formats, else -1
	Length  int64
	Digest  string // keyed, of the record's raw bytes; hex
	Time    int64  // of the record, Unix milliseconds; NoTime where it has none
	Tier    Tier   // the surest of Evidence
	Why     []Evidence
}

// NoTime stands for a record without a time.
const NoTime = int64(-1 << 63)

// Evidence is one link of the chain of why, without the value.
type Evidence struct {
	Path string `json:"path"` // field, or "(key)" for the object's key
	Kind Kind   `json:"kind"`
	Rule string `json:"rule"`
	Tier Tier   `json:"tier"`
	Via  string `json:"via,omitempty"` // digest of the link id it was reached through
	Hops int    `json:"hops,omitempty"`
}
