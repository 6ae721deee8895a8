package storetest

// oddKeys are keys that some layer between a program and a disk likes to change:
// URL paths, query strings, XML, file systems, cleaners of paths. Whatever a
// lake holds under such a name has to be found, too.
func oddKeys() []string {
	return []string{
		"a b", " leading space", "trailing space ", "a  b",
		"a+b", "a%b", "a%20b", "a%2Fb", "a%25b", "%", "%zz",
		"ünïcode", "u\u0308 decomposed", "日本/語.jsonl", "emoji 😀", "\U0010FFFF last",
		"calls/2022-04-08T15:00:00Z.jsonl", "dt=2022-04-08T15:00/part-0.jsonl",
		"account=a&b/dt=1", "q?x=1", "q#fragment", "semi;colon,comma", "equals=",
		"trailing dot.", "trailing dots..", "...", "a/.../b", ".hidden", "a/.hidden/b",
		`back\slash`, `quote'"quote`, "star*[x]{y}|z", "~tilde", "$dollar@at!^`", "(paren)",
		"tab\tkey", "newline\nkey", "return\rkey", "<xml>&amp;]]>", "-dash", "--", "con", "nul",
		"very/" + long(200) + "/" + long(200),
		"/leading slash", "double//slash", "trailing slash/", "dot/./dot", "dots/../dots", "../up", ".", "..",
	}
}

func long(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return string(b)
}
