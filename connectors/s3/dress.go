package s3

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"errors"

	"expunge/connectors"
)

// dress is what stands beside an object's bytes and has to stay.
type dress struct {
	meta                                                   map[string]string
	kind, encoding, language, disposition, cache, redirect *string
	expires                                                *time.Time
	tags                                                   *string
	class                                                  types.StorageClass
	sse                                                    types.ServerSideEncryption
	kmsKey                                                 *string
	bucketKey                                              *bool
	grants                                                 map[types.Permission]string
	lockMode                                               types.ObjectLockMode
	lockUntil                                              *time.Time
	hold                                                   types.ObjectLockLegalHoldStatus
}

// look reads the dress of the current object. Tags and an ACL that must not be read are an
// error, since they would be lost. A store that knows no ACLs has the default one.
func (s *Store) look(ctx context.Context, r connectors.Ref, h *s3.HeadObjectOutput) (*dress, error) {
	if aws.ToInt32(h.MissingMeta) > 0 {
		return nil, fmt.Errorf("%w: the object has metadata that the server cannot show", connectors.ErrUnsupported)
	}
	d := &dress{
		meta: h.Metadata, kind: h.ContentType, encoding: h.ContentEncoding, language: h.ContentLanguage, disposition: h.ContentDisposition,
		cache: h.CacheControl, redirect: h.WebsiteRedirectLocation, class: h.StorageClass, sse: h.ServerSideEncryption,
		kmsKey: h.SSEKMSKeyId, bucketKey: h.BucketKeyEnabled, lockMode: h.ObjectLockMode, lockUntil: h.ObjectLockRetainUntilDate, hold: h.ObjectLockLegalHoldStatus,
	}
	if d.lockUntil != nil && !d.lockUntil.After(time.Now()) { // it has ended, and servers take none that has
		d.lockMode, d.lockUntil = "", nil
	}
	if h.ExpiresString != nil {
		t, err := time.Parse(time.RFC1123, *h.ExpiresString)
		if err != nil {
			return nil, fmt.Errorf("%w: the object has an Expires header that is no date", connectors.ErrUnsupported)
		}
		d.expires = &t
	}
	tags, err := s.tags(ctx, r)
	if err != nil {
		return nil, err
	}
	if len(tags) > 0 {
		v := url.Values{}
		for _, t := range tags {
			v.Add(aws.ToString(t.Key), aws.ToString(t.Value))
		}
		d.tags = aws.String(v.Encode())
	}
	acl, err := s.client.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: s.bucket(), Key: s.key(r.Key), VersionId: optional(r.Version)})
	if err == nil {
		d.grants = grants(acl)
		return d, nil
	}
	switch kind := classify(err); {
	case ctx.Err() != nil, errors.Is(kind, connectors.ErrTemporary), errors.Is(kind, connectors.ErrNotFound), errors.Is(kind, connectors.ErrDenied):
		return nil, fmt.Errorf("read ACL: %w", allow(err, "s3:GetObjectAcl", "s3:GetObjectVersionAcl"))
	}
	return d, nil
}

// tags are those of an object; none where the server knows no tags.
func (s *Store) tags(ctx context.Context, r connectors.Ref) ([]types.Tag, error) {
	out, err := s.client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: s.bucket(), Key: s.key(r.Key), VersionId: optional(r.Version)})
	switch {
	case err == nil:
		return out.TagSet, nil
	case errors.Is(classify(err), connectors.ErrUnsupported), strings.Contains(err.Error(), "NoSuchTagSet"):
		return nil, nil
	}
	return nil, fmt.Errorf("read tags: %w", allow(err, "s3:GetObjectTagging", "s3:GetObjectVersionTagging"))
}

// Labels implements connectors.Labeller.
func (s *Store) Labels(ctx context.Context, r connectors.Ref) ([]connectors.Label, error) {
	h, err := s.head(ctx, r)
	if err != nil {
		return nil, s.fail("read what stands beside", r.Key, err)
	}
	var out []connectors.Label
	for _, name := range slices.Sorted(maps.Keys(h.Metadata)) {
		out = append(out, connectors.Label{Kind: "user metadata", Text: name + ": " + h.Metadata[name]})
	}
	for _, x := range []struct {
		name  string
		value *string
	}{
		{"Content-Disposition", h.ContentDisposition}, {"Content-Type", h.ContentType}, {"Content-Language", h.ContentLanguage},
		{"Cache-Control", h.CacheControl}, {"x-amz-website-redirect-location", h.WebsiteRedirectLocation},
	} {
		if text := aws.ToString(x.value); text != "" {
			out = append(out, connectors.Label{Kind: "header " + x.name, Text: text})
		}
	}
	if h.VersionId == nil {
		r.Version = "" // a bucket that never kept versions, see unversioned
	}
	tags, err := s.tags(ctx, r)
	if err != nil {
		return nil, s.fail("read what stands beside", r.Key, err)
	}
	for _, t := range tags {
		out = append(out, connectors.Label{Kind: "tag", Text: aws.ToString(t.Key) + ": " + aws.ToString(t.Value)})
	}
	return out, nil
}

// grants are the headers of an ACL; nil for the default one.
func grants(acl *s3.GetObjectAclOutput) map[types.Permission]string {
	if acl.Owner == nil {
		return nil
	}
	out := map[types.Permission]string{}
	plain := true
	for _, g := range acl.Grants {
		if g.Grantee == nil {
			continue
		}
		who := ""
		switch {
		case g.Grantee.URI != nil:
			who = fmt.Sprintf("uri=%q", *g.Grantee.URI)
		case g.Grantee.ID != nil:
			who = fmt.Sprintf("id=%q", *g.Grantee.ID)
		default:
			continue
		}
		plain = plain && g.Permission == types.PermissionFullControl && aws.ToString(g.Grantee.ID) == aws.ToString(acl.Owner.ID)
		if out[g.Permission] != "" {
			who = out[g.Permission] + ", " + who
		}
		out[g.Permission] = who
	}
	if plain {
		return nil
	}
	return out
}

// writes are the permissions that it takes to write an object in this dress.
func (d *dress) writes() []string {
	all := []string{"s3:PutObject"}
	for _, x := range []struct {
		has  bool
		take []string
	}{
		{d.tags != nil, []string{"s3:PutObjectTagging"}},
		{d.grants != nil, []string{"s3:PutObjectAcl"}},
		{d.lockMode != "", []string{"s3:PutObjectRetention"}},
		{d.hold != "", []string{"s3:PutObjectLegalHold"}},
		{d.kmsKey != nil, []string{"kms:GenerateDataKey", "kms:Decrypt"}},
	} {
		if x.has {
			all = append(all, x.take...)
		}
	}
	return all
}

func (d *dress) put(in *s3.PutObjectInput) {
	in.Metadata, in.ContentType, in.ContentEncoding, in.ContentLanguage = d.meta, d.kind, d.encoding, d.language
	in.ContentDisposition, in.CacheControl, in.WebsiteRedirectLocation, in.Expires = d.disposition, d.cache, d.redirect, d.expires
	in.Tagging, in.StorageClass, in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = d.tags, d.class, d.sse, d.kmsKey, d.bucketKey
	in.GrantFullControl, in.GrantRead = optional(d.grants[types.PermissionFullControl]), optional(d.grants[types.PermissionRead])
	in.GrantReadACP, in.GrantWriteACP = optional(d.grants[types.PermissionReadAcp]), optional(d.grants[types.PermissionWriteAcp])
	in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus = d.lockMode, d.lockUntil, d.hold
}

func (d *dress) begin(in *s3.CreateMultipartUploadInput) {
	in.Metadata, in.ContentType, in.ContentEncoding, in.ContentLanguage = d.meta, d.kind, d.encoding, d.language
	in.ContentDisposition, in.CacheControl, in.WebsiteRedirectLocation, in.Expires = d.disposition, d.cache, d.redirect, d.expires
	in.Tagging, in.StorageClass, in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = d.tags, d.class, d.sse, d.kmsKey, d.bucketKey
	in.GrantFullControl, in.GrantRead = optional(d.grants[types.PermissionFullControl]), optional(d.grants[types.PermissionRead])
	in.GrantReadACP, in.GrantWriteACP = optional(d.grants[types.PermissionReadAcp]), optional(d.grants[types.PermissionWriteAcp])
	in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus = d.lockMode, d.lockUntil, d.hold
}
