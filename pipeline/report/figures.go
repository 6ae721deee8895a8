package report

// Bytes is what a run listed and read.
type Bytes struct {
	Listed     int64   `json:"listed"`
	Pass       int64   `json:"one_pass"`    // stored bytes of the objects that a request may touch
	Read       int64   `json:"read"`        // from them
	First      int64   `json:"first_scans"` // of Read: by scans that fill the catalog
	Again      int64   `json:"read_again"`  // of Read: what the catalog said may hold something
	Filters    int64   `json:"filters"`     // of the catalog
	WithoutHit int64   `json:"without_hit"` // of Read
	Part       float64 `json:"fraction_without_hit"`

	// AgainWithoutHit and Filters are what the catalog costs where it is to save a
	// pass: bytes that were read, and nothing was in them. PartOfPass is their sum as a
	// part of Pass.
	AgainWithoutHit int64   `json:"read_again_without_hit"`
	PartOfPass      float64 `json:"fraction_of_one_pass"`
}

func (b *Bytes) sum() {
	b.Again = b.Read - b.First
	if b.Part = 0; b.Read > 0 {
		b.Part = float64(b.WithoutHit) / float64(b.Read)
	}
	if b.PartOfPass = 0; b.Pass > 0 {
		b.PartOfPass = float64(b.AgainWithoutHit+b.Filters) / float64(b.Pass)
	}
}

// Store is what a run asked of one store, until its report was written. Of a run
// that was resumed it is what the last process asked.
type Store struct {
	Store string `json:"store"` // its name in the config; "work" is the work store
	Calls
}

// Calls are counted at the store, each try for itself.
type Calls struct {
	Lists    int64 `json:"list_calls"`
	Pages    int64 `json:"list_pages"` // LIST requests of a thousand keys each, at least
	Listed   int64 `json:"listed"`
	Opens    int64 `json:"get_calls"`
	Read     int64 `json:"bytes_read"`
	Creates  int64 `json:"files_written"`
	Replaces int64 `json:"files_replaced"`
	Deletes  int64 `json:"files_deleted"`
	Written  int64 `json:"bytes_written"`
}

// Phase is a part of a run and how long it took.
type Phase struct {
	Phase   string  `json:"phase"`
	Seconds float64 `json:"seconds"`
}

// Count takes what was asked of each store.
func (r *Report) Count(stores []Store) {
	r.Stores, r.Files, r.Lists = stores, 0, 0
	for _, s := range stores {
		r.Files += s.Creates
		r.Lists += s.Lists
	}
}
