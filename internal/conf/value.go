package conf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// value is one parsed setting; which field holds it follows from the type.
type value struct {
	typ  Type
	str  string // STRING, CLASS, PASSWORD: trimmed
	num  int64  // INT, SHORT, LONG
	dbl  float64
	flag bool
	list []string
}

// ValueError is a value that its key does not take, in Kafka's words, so that a
// client that compares texts sees what it expects.
type ValueError struct {
	Key, Value, Reason string
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("Invalid value %s for configuration %s: %s", e.Value, e.Key, e.Reason)
}

// trim is Java's String.trim: everything up to and including space goes.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// parse reads a value by the rules of Kafka's ConfigDef: trimmed first, true
// and false in any case, plain decimal numbers with an optional sign, lists
// split at commas with the blanks around them.
func (k *Key) parse(raw string) (value, error) {
	v := value{typ: k.Type, str: trim(raw)}
	var err error
	switch k.Type {
	case Boolean:
		v.flag = strings.EqualFold(v.str, "true")
		if !v.flag && !strings.EqualFold(v.str, "false") {
			return v, &ValueError{k.Name, raw, "Expected value to be either true or false"}
		}
	case Int:
		v.num, err = parseInteger(v.str, 32)
	case Short:
		v.num, err = parseInteger(v.str, 16)
	case Long:
		v.num, err = parseInteger(v.str, 64)
	case Double:
		v.dbl, err = parseDouble(v.str)
	case List:
		v.list = splitList(v.str)
	case Class:
		if v.str == "" {
			return v, &ValueError{k.Name, raw, "Class " + raw + " could not be found."}
		}
	}
	if err != nil {
		return v, &ValueError{k.Name, raw, "Not a number of type " + k.Type.String()}
	}
	return v, nil
}

// print is Kafka's spelling of a parsed value (ConfigDef.convertToString).
func (v value) print() string {
	switch v.typ {
	case Boolean:
		return strconv.FormatBool(v.flag)
	case Int, Short, Long:
		return strconv.FormatInt(v.num, 10)
	case Double:
		return formatDouble(v.dbl)
	case List:
		return strings.Join(v.list, ",")
	}
	return v.str
}

// parseInteger takes what Java's parseInt takes in ASCII: a sign and digits.
func parseInteger(s string, bits int) (int64, error) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || strings.Trim(digits, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(s, 10, bits)
}

// parseDouble takes what Java's parseDouble takes: NaN and Infinity in exactly
// that spelling, decimal and hexadecimal floats, an f or d behind, no underscores.
func parseDouble(s string) (float64, error) {
	body := strings.TrimLeft(s, "+-")
	if len(s)-len(body) > 1 {
		return 0, strconv.ErrSyntax
	}
	if body == "NaN" {
		return math.NaN(), nil
	}
	if body == "Infinity" {
		return math.Inf(1 - 2*strings.Count(s, "-")), nil
	}
	hex := len(body) > 1 && (body[1] == 'x' || body[1] == 'X')
	if n := len(s); n > 1 && strings.ContainsRune("fFdD", rune(s[n-1])) && (!hex || strings.ContainsAny(s, "pP")) {
		s = s[:n-1]
	}
	if strings.Contains(s, "_") || strings.ContainsAny(strings.ToLower(body[:min(1, len(body))]), "ni") {
		return 0, strconv.ErrSyntax
	}
	if body == "" || !strings.ContainsAny(body[:1], "0123456789.") {
		return 0, strconv.ErrSyntax
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && math.IsInf(f, 0) {
		return f, nil // Java rounds to infinity
	}
	return f, err
}

// formatDouble is Java's Double.toString: at least one digit behind the point,
// computerized notation outside 10^-3 to 10^7.
func formatDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exp) // the exponent that FormatFloat just wrote
	return mantissa + "E" + strconv.Itoa(n)
}

// splitList splits at commas and the white space around them; an empty text is
// an empty list, an element may be empty.
func splitList(s string) []string {
	if s == "" {
		return nil
	}
	parts := strings.Split(s, ",")
	for i, p := range parts {
		if i > 0 {
			p = strings.TrimLeft(p, "\t\n\v\f\r ")
		}
		if i < len(parts)-1 {
			p = strings.TrimRight(p, "\t\n\v\f\r ")
		}
		parts[i] = p
	}
	return parts
}
