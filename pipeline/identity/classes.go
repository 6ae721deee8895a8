package identity

// Classes of bytes.
const (
	digit  = 1 << iota // 0-9
	hexlet             // a-f A-F
	letter             // g-z G-Z
	hyphen             // -
	under              // _
	phsep              // may stand between the digits of a phone number
	mailch             // may stand in the local part of an address, beside the above
	high               // a byte of a character beyond ASCII
)

const (
	alnum  = digit | hexlet | letter
	word   = alnum | hyphen | under
	local  = word | mailch | high
	domain = alnum | hyphen | high // and the dot
)

var classes = func() (t [256]uint8) {
	for c := range t {
		b := byte(c)
		switch {
		case isDigit(b):
			t[c] = digit
		case b|0x20 >= 'a' && b|0x20 <= 'f':
			t[c] = hexlet
		case b|0x20 >= 'g' && b|0x20 <= 'z':
			t[c] = letter
		case b >= 0x80:
			t[c] = high
		}
	}
	for _, b := range []byte(" -.()+/\n\r\t") {
		t[b] |= phsep
	}
	for b := byte(escB); b <= escT; b++ {
		t[b] |= phsep
	}
	t['-'] |= hyphen
	t['_'] |= under
	t['.'] |= mailch
	t['+'] |= mailch
	return t
}()

// Bounds of tokens.
const (
	maxGap    = 4   // separators between two groups of a phone number
	maxPhone  = 15  // digits of a group that may belong to one
	maxAbroad = 19  // digits of one that begins with what is dialled for another country
	minWord   = 8   // bytes of a word
	maxWord   = 512 // longer runs are no ids but data
	maxMail   = 128 // bytes on either side of the @
)
