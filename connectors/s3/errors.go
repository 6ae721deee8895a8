package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"expunge/connectors"
)

// fail says what was tried, on which key, and which of the sentinels it is.
func (s *Store) fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	where := s.URL()
	if key != "" {
		where = fmt.Sprintf("%q in %s", key, where)
	}
	if kind := classify(err); kind != nil && !errors.Is(err, kind) {
		return fmt.Errorf("%s %s: %w: %w", op, where, kind, err)
	}
	return fmt.Errorf("%s %s: %w", op, where, err)
}

// allow says of a denial which permissions, of those that were used, may be missing.
func allow(err error, permissions ...string) error {
	if errors.Is(classify(err), connectors.ErrDenied) {
		return fmt.Errorf("%w: %w", &connectors.DeniedError{Allow: permissions}, err)
	}
	return err
}

// classify finds the sentinel for an error of the SDK; nil where none fits.
func classify(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if kind, ok := byCode(api.ErrorCode(), api.ErrorMessage()); ok {
			return kind
		}
	}
	if kind, ok := byStatus(status(err)); ok {
		return kind
	}
	if api != nil {
		return nil
	}
	var send *smithyhttp.RequestSendError
	var network net.Error
	var decode *smithy.DeserializationError
	if errors.As(err, &send) || errors.As(err, &network) || errors.As(err, &decode) {
		return connectors.ErrTemporary
	}
	return nil
}

func byCode(code, message string) (error, bool) {
	switch code {
	case "NoSuchKey", "NoSuchVersion":
		return connectors.ErrNotFound, true
	case "NoSuchBucket":
		return connectors.ErrNoStore, true
	case "PreconditionFailed":
		return connectors.ErrChanged, true
	case "InvalidObjectState":
		return connectors.ErrArchived, true
	case "AccessDenied", "AllAccessDisabled", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "XAdminUserNotFound":
		switch {
		case locked(message):
			return connectors.ErrHeld, true
		case strings.Contains(strings.ToLower(message), "mfa"):
			return connectors.ErrMFA, true
		}
		return connectors.ErrDenied, true
	case "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "RequestTimeTooSkewed", "Throttling", "ThrottlingException",
		"BandwidthLimitExceeded", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch",
		"OperationAborted", "ConditionalRequestConflict", // another writer is at it: come again
		"NoSuchUpload": // aborted by a clean-up; begun anew it may go through
		return connectors.ErrTemporary, true
	case "NotImplemented", "DirectoryObjectContainsData", "ExistingObjectIsDirectory", "ObjectParentIsFile",
		"KeyTooLongError", "KeyTooLong", "XMinioInvalidObjectName", "InvalidObjectName", "XMinioObjectExistsAsDirectory":
		return connectors.ErrUnsupported, true
	}
	return nil, false
}

func byStatus(code int) (error, bool) {
	switch code {
	case http.StatusNotFound:
		return connectors.ErrNotFound, true
	case http.StatusForbidden, http.StatusUnauthorized:
		return connectors.ErrDenied, true
	case http.StatusPreconditionFailed:
		return connectors.ErrChanged, true
	case http.StatusNotImplemented:
		return connectors.ErrUnsupported, true
	case http.StatusConflict, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return connectors.ErrTemporary, true
	}
	return nil, false
}

// code is what the server calls an error, "" where it calls it nothing.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func status(err error) int {
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) {
		return resp.HTTPStatusCode()
	}
	return 0
}

// locked recognises the texts with which servers refuse to delete what is locked.
func locked(message string) bool {
	m := strings.ToLower(message)
	for _, word := range []string{"object lock", "legal hold", "retention", "worm"} {
		if strings.Contains(m, word) {
			return true
		}
	}
	return false
}

// gone tells that there is no such object or version.
func gone(err error) bool {
	return errors.Is(err, connectors.ErrNotFound) || errors.Is(classify(err), connectors.ErrNotFound)
}

// isMarker tells that the version that was asked for is a delete marker.
func isMarker(err error) bool { return status(err) == http.StatusMethodNotAllowed }

func isRange(err error) bool {
	return status(err) == http.StatusRequestedRangeNotSatisfiable
}
