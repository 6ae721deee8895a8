package connectors

import "context"

// Labeller is a Store that can show what somebody has written beside an object's bytes.
type Labeller interface {
	Store
	// Labels gives what stands beside the bytes of the version that r names, as Open takes
	// r: user metadata, tags, headers. What the store itself keeps of an object (its size,
	// class or encryption) is none. It fails with ErrUnsupported where nothing can be.
	Labels(ctx context.Context, r Ref) ([]Label, error)
}

// Label is one of them. Its text may identify somebody.
type Label struct {
	Kind string // "user metadata", "tag", "header Content-Disposition"
	Text string // "name: value"; of a header the value alone
}
