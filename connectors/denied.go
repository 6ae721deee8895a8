package connectors

import "strings"

// DeniedError is an ErrDenied of which it is known what has to be allowed.
type DeniedError struct {
	Allow []string // permissions, as the vendor calls them
}

// Error implements error.
func (e *DeniedError) Error() string {
	return ErrDenied.Error() + ": allow " + strings.Join(e.Allow, ", ")
}

// Unwrap makes it an ErrDenied.
func (e *DeniedError) Unwrap() error { return ErrDenied }
