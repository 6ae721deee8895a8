package s3

import "expunge/connectors"

const copyMax = 1 << 30 // bytes in one copied part; S3 takes 5 GiB, smaller ones travel in parallel

// plan cuts a patch in parts: runs of the source of 5 MiB and more are copied by
// the server, the rest is sent in parts of size bytes. No part but the last is below
// 5 MiB; what is too small takes bytes of its neighbours with it.
func plan(pieces []connectors.Piece, size int64) []piece {
	var parts []piece
	var sent piece
	flush := func() {
		if sent.len > 0 {
			parts = append(parts, sent)
			sent = piece{}
		}
	}
	add := func(p connectors.Piece, n int64) connectors.Piece {
		sent.from = append(sent.from, connectors.Piece{Spool: p.Spool, Off: p.Off, Len: n})
		sent.len += n
		if sent.len >= size {
			flush()
		}
		return connectors.Piece{Spool: p.Spool, Off: p.Off + n, Len: p.Len - n}
	}
	for _, p := range joined(pieces) {
		for p.Len > 0 {
			fill := max(0, minPart-sent.len) // what the part being sent still lacks
			if sent.len == 0 {
				fill = 0
			}
			if p.Spool || p.Len-fill < minPart {
				p = add(p, min(p.Len, size-sent.len))
				continue
			}
			if fill > 0 {
				p = add(p, fill)
			}
			flush()
			n := (p.Len + copyMax - 1) / copyMax
			for i := range n {
				from, to := p.Len*i/n, p.Len*(i+1)/n
				parts = append(parts, piece{copied: true, off: p.Off + from, len: to - from})
			}
			p.Len = 0
		}
	}
	flush()
	return parts
}

// joined drops empty pieces and joins those that follow one another.
func joined(pieces []connectors.Piece) []connectors.Piece {
	var out []connectors.Piece
	for _, p := range pieces {
		if n := len(out); n > 0 && p.Len > 0 && out[n-1].Spool == p.Spool && out[n-1].Off+out[n-1].Len == p.Off {
			out[n-1].Len += p.Len
		} else if p.Len > 0 {
			out = append(out, p)
		}
	}
	return out
}
