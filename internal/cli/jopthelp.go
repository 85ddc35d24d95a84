package cli

import (
	"strings"
	"unicode"
)

const (
	helpWidth  = 80
	helpGap    = 2
	helpIndent = "  "
)

// layout renders rows in two columns: the left one as wide as its widest text
// but at most (80-2)/2, the right one in what is left. Every line is padded.
func layout(rows [][2]string) string {
	left := min((helpWidth-helpGap)/2, widest(rows, 0))
	right := min(helpWidth-left-helpGap, widest(rows, 1))
	var fitted [][2]string
	for _, r := range rows {
		l, d := fold(r[0], left), fold(r[1], right)
		for i := range max(len(l), len(d)) {
			fitted = append(fitted, [2]string{at(l, i), at(d, i)})
		}
	}
	left = min((helpWidth-helpGap)/2, widest(fitted, 0)) // folding may have narrowed them
	right = min(helpWidth-left-helpGap, widest(fitted, 1))
	var b strings.Builder
	for _, r := range fitted {
		b.WriteString(pad(r[0], left) + strings.Repeat(" ", helpGap) + pad(r[1], right) + "\n")
	}
	return b.String()
}

func widest(rows [][2]string, column int) int {
	n := 0
	for _, r := range rows {
		n = max(n, len(r[column]))
	}
	return n
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

func pad(s string, width int) string {
	if len(s) >= width {
		return s
	}
	return s + strings.Repeat(" ", width-len(s))
}

// fold breaks text into lines no wider than width, where Java's line
// BreakIterator allows it. Lines that continue one are indented by two.
func fold(text string, width int) []string {
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		piece := ""
		for _, word := range breakable(line) {
			if len(piece)+len(word) > width {
				lines = append(lines, strings.TrimRight(piece, " \t"))
				piece = helpIndent
			}
			piece += word
		}
		if piece != "" {
			lines = append(lines, piece)
		}
	}
	return lines
}

// breakable splits a line into the pieces between which it may be broken: after
// spaces, and after a run of dashes or of closing punctuation, unless that is
// part of a number as in 4.0 or -3, or an opening bracket follows a dash; and
// between a number and the sign >, and between a letter and (.
func breakable(line string) []string {
	var words []string
	r := []rune(line)
	start, i := 0, 0
	cut := func() { words = append(words, string(r[start:i])); start = i }
	for i < len(r) {
		switch {
		case r[i] == ' ' || r[i] == '\t':
			i = skip(r, i, func(c rune) bool { return c == ' ' || c == '\t' })
			cut()
		case unicode.Is(unicode.Pd, r[i]):
			i = skip(r, i, func(c rune) bool { return unicode.Is(unicode.Pd, c) })
			if i < len(r) && r[i] != ' ' && r[i] != '(' && !unicode.IsDigit(r[i]) {
				cut()
			}
		case closing(r[i]):
			inNumber := i > 0 && unicode.IsDigit(r[i-1]) && (r[i] == '.' || r[i] == ',') && i+1 < len(r) && unicode.IsDigit(r[i+1])
			i = skip(r, i, closing)
			quoted := r[i-1] == '\'' || r[i-1] == '"' // may open what follows
			negative := i+1 < len(r) && r[i] == '-' && unicode.IsDigit(r[i+1])
			if !inNumber && !quoted && !negative && i < len(r) && r[i] != ' ' {
				cut()
			}
		case r[i] == '>' && i > 0 && unicode.IsDigit(r[i-1]), r[i] == '(' && i > start && unicode.IsLetter(r[i-1]):
			cut()
			i++
		default:
			i++
		}
	}
	if start < len(r) {
		words = append(words, string(r[start:]))
	}
	return words
}

func skip(r []rune, i int, while func(rune) bool) int {
	for i < len(r) && while(r[i]) {
		i++
	}
	return i
}

func closing(c rune) bool {
	return strings.ContainsRune(`.,:;!?)]}%"'`, c) || unicode.Is(unicode.Pe, c) || unicode.Is(unicode.Pf, c)
}
