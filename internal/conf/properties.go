package conf

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// property is one entry of a file: value as it counts, line where the entry
// begins, comment what was cut off behind the value.
type property struct {
	key, value string
	line       int
	comment    string
}

// syntaxError is a place in a file that cannot be read.
type syntaxError struct {
	line int
	text string
}

// parseProperties reads a .properties file by Java's rules (java.util.Properties):
//
//	key = value    key:value    key value    first unescaped = : or blank ends the key
//	# comment      ! comment    only where the line begins
//	long \         a line that ends in an odd number of backslashes goes on,
//	    value      without the blanks that the next one begins with
//	\t \n \r \f \uXXXX, and \x for x itself
//
// with one deviation: " #…" and "\t#…" behind a value is a comment, unless it
// stands inside double quotes or is written \#. Java keeps it in the value; files
// in tutorials carry such comments and work nowhere but here.
// Bytes are UTF-8; what is not is taken as Latin-1, as Java does.
func parseProperties(data []byte) ([]property, []syntaxError) {
	var props []property
	var errs []syntaxError
	lines := logicalLines(toUTF8(data))
	for _, l := range lines {
		rawKey, rawValue := splitProperty(l.text)
		rawValue, comment := cutComment(rawValue)
		key, err1 := unescape(rawKey)
		value, err2 := unescape(rawValue)
		if err := firstError(err1, err2); err != "" {
			errs = append(errs, syntaxError{l.line, err})
			continue
		}
		props = append(props, property{key, value, l.line, comment})
	}
	return props, errs
}

func firstError(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func toUTF8(data []byte) string {
	s := strings.TrimPrefix(string(data), "\ufeff")
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

type logicalLine struct {
	text string
	line int
}

// logicalLines joins continued lines and drops comments and blank lines.
func logicalLines(s string) []logicalLine {
	var out []logicalLine
	natural := strings.Split(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"), "\n")
	for i := 0; i < len(natural); i++ {
		text := trimLeftBlank(natural[i])
		if text == "" || text[0] == '#' || text[0] == '!' {
			continue
		}
		line := i + 1
		var b strings.Builder
		for continues(text) {
			b.WriteString(text[:len(text)-1])
			if i++; i >= len(natural) {
				text = ""
				break
			}
			text = trimLeftBlank(natural[i])
		}
		b.WriteString(text)
		if b.Len() > 0 {
			out = append(out, logicalLine{b.String(), line})
		}
	}
	return out
}

func trimLeftBlank(s string) string { return strings.TrimLeft(s, " \t\f") }

// continues tells whether a line ends in an odd number of backslashes.
func continues(s string) bool {
	n := len(s) - len(strings.TrimRight(s, `\`))
	return n%2 == 1
}

// splitProperty cuts a line at its separator; both halves stay escaped.
func splitProperty(s string) (key, value string) {
	end := len(s)
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=: \t\f", s[i]) >= 0 {
			end = i
			break
		}
	}
	key, value = s[:end], trimLeftBlank(s[end:])
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = trimLeftBlank(value[1:])
	}
	return key, value
}

// cutComment cuts a # that follows a blank, or that begins the value, and is
// neither escaped nor inside double quotes; the blanks before it go too.
func cutComment(s string) (value, comment string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"' && (quoted || strings.IndexByte(s[i+1:], '"') >= 0):
			quoted = !quoted
		case s[i] == '#' && !quoted && (i == 0 || strings.IndexByte(" \t\f", s[i-1]) >= 0):
			return strings.TrimRight(s[:i], " \t\f"), s[i:]
		}
	}
	return s, ""
}

// unescape resolves backslashes; the text is what is wrong, "" when nothing is.
func unescape(s string) (string, string) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, ""
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i >= len(s) {
			break
		}
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			r, n, ok := unicodeEscape(s[i+1:])
			if !ok {
				return "", fmt.Sprintf(`malformed \uXXXX in %q`, s)
			}
			b.WriteRune(r)
			i += n
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

// unicodeEscape reads the digits behind \u and, for a surrogate, the pair's
// second half; n is how many bytes it read.
func unicodeEscape(s string) (r rune, n int, ok bool) {
	hi, ok := hex4(s)
	if !ok {
		return 0, 0, false
	}
	if utf16.IsSurrogate(hi) && strings.HasPrefix(s[4:], `\u`) {
		if lo, ok := hex4(s[6:]); ok {
			if r := utf16.DecodeRune(hi, lo); r != utf8.RuneError {
				return r, 10, true
			}
		}
	}
	return hi, 4, true
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		d := strings.IndexByte("0123456789abcdef", s[i]|0x20)
		if d < 0 || s[i] < '0' {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}
