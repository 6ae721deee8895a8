package identity

import (
	"testing"

	"expunge/pipeline"
)

func TestHousehold(t *testing.T) {
	phone := wanted(t, pipeline.Phone, "+14045550123")
	mail := wanted(t, pipeline.Email, "jane.doe@gmail.com")
	past := func(n Needle) Needle {
		return Remember(digests{}, testKey, "US", n).Needle(n.Account, n.Canon.Kind, digests{})
	}
	link := func(kind pipeline.Kind, value string) pipeline.Link { return pipeline.Link{Kind: kind, Value: value} }
	own, mailbox, bobs := link(pipeline.Phone, "14045550123"), link(pipeline.Email, "janedoe@gmail.com"), link(pipeline.Email, "bob@example.org")
	for what, needles := range map[string][]Needle{
		"named":     {phone[0], mail[0]},
		"forgotten": {past(phone[0]), past(wanted(t, pipeline.Email, "janedoe@gmail.com")[0])},
		"digests":   {givenAs(t, pipeline.Phone, "4045550123"), givenAs(t, pipeline.Email, "janedoe@gmail.com")},
	} {
		for _, tt := range []struct {
			direct []pipeline.Link
			want   bool
		}{
			{nil, false},
			{[]pipeline.Link{own}, false},
			{[]pipeline.Link{own, mailbox}, false},
			{[]pipeline.Link{own, bobs}, true},
			{[]pipeline.Link{own, bobs, mailbox}, false}, // hers stands there, too
			{[]pipeline.Link{own, link(pipeline.Phone, "14045550199")}, false},
			{[]pipeline.Link{mailbox, link(pipeline.Phone, "14045550199")}, true},
			{[]pipeline.Link{own, link(pipeline.User, "17")}, false}, // nobody said which user she is
		} {
			if got := Household(needles, tt.direct); got != tt.want {
				t.Errorf("%s, beside %v: %t", what, tt.direct, got)
			}
		}
	}
}
