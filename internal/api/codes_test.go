package api

import (
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// J-15: nobody who sends or fetches records hears UNKNOWN_SERVER_ERROR, whatever went
// wrong: the Java client would write the batch once more, under another sequence.
func TestJ15NothingUnknownOnTheDataPath(t *testing.T) {
	errs := []error{errors.New("of nobody"), kerr.UnknownServerError, &fault{kafka: kerr.UnknownServerError}}
	for _, c := range codes {
		errs = append(errs, c.is, fmt.Errorf("wrapped: %w", c.is))
	}
	for _, rule := range []string{"", "none unknown"} {
		coded := dataCode
		if rule != "" {
			coded = code // as elsewhere
		}
		unknown := 0
		for _, err := range errs {
			if c := coded(err); c == kerr.UnknownServerError.Code || c == 0 {
				unknown++
			}
		}
		if (unknown > 0) != (rule != "") {
			t.Errorf("without %q: %d of %d errors are answered as unknown", rule, unknown, len(errs))
		}
	}
	if dataCode(nil) != 0 {
		t.Error("no error has a code")
	}
}
