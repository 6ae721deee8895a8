package scanners

// Nothing is a Finder that wants nothing: for reading every record, or copying.
type Nothing struct{}

// Probe implements Finder.
func (Nothing) Probe(at []int, _ []byte) []int { return at }

// Fields implements Finder.
func (Nothing) Fields() []string { return nil }

// ProbeField implements Finder.
func (Nothing) ProbeField(int, []byte) bool { return false }

// Find implements Finder.
func (Nothing) Find(dst []Match, _ string, _ []byte) []Match { return dst }

// Boundary implements Finder.
func (Nothing) Boundary(int64, int, int64) {}
