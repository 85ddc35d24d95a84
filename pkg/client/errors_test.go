package client

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestErrorsAreFound(t *testing.T) {
	text := "Topic 'orders' already exists."
	err := answer("create topic", "orders", kerr.TopicAlreadyExists.Code, &text)
	if !errors.Is(err, ErrTopicExists) || errors.Is(err, ErrUnknownTopic) || errors.Is(err, ErrNotAuthorized) {
		t.Error("sentinels")
	}
	if want := `create topic "orders": Topic 'orders' already exists.`; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	var e *Error
	if !errors.As(err, &e) || e.CodeName() != "TOPIC_ALREADY_EXISTS" || e.CodeNumber() != 36 {
		t.Errorf("%+v", e)
	}
	if answer("x", "", 0, nil) != nil {
		t.Error("code 0 is no error")
	}
	denied := answer("produce to topic", "t", kerr.TopicAuthorizationFailed.Code, nil)
	if !errors.Is(denied, ErrNotAuthorized) {
		t.Error("an authorization failure is not ErrNotAuthorized")
	}
	if unknown := answer("x", "", 12345, nil); unknown == nil || unknown.Error() == "" {
		t.Error("a code that nobody knows")
	}
}
