package invariant

import "testing"

func TestCheck(t *testing.T) {
	Check(true, "never seen")
	defer func() {
		b, ok := recover().(Broken)
		if !ok || b.Error() != "broken invariant: I2: base 3 before end 4" {
			t.Fatalf("recovered %v", b)
		}
	}()
	Check(false, "I2: base %d before end %d", 3, 4)
}
