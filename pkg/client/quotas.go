package client

import (
	"context"
	"sort"

	"github.com/twmb/franz-go/pkg/kadm"
)

// QuotaEntity is one part of whom a quota is for: Type is user, client-id or
// ip. A nil Name is the default of that type.
type QuotaEntity struct {
	Type string  `json:"type"`
	Name *string `json:"name"`
}

// Quota is the limits of one entity (a user, a client id, both, or an ip).
type Quota struct {
	Entity []QuotaEntity      `json:"entity"`
	Values map[string]float64 `json:"values"`
}

// QuotaMatch asks for one part of an entity: a name, the default, or any.
type QuotaMatch struct {
	Type string
	Name *string
	Any  bool
}

// Quotas lists the quotas of exactly the kinds that match names.
func (a *Admin) Quotas(ctx context.Context, match ...QuotaMatch) ([]Quota, error) {
	var filter []kadm.DescribeClientQuotaComponent
	for _, m := range match {
		f := kadm.DescribeClientQuotaComponent{Type: m.Type, MatchName: m.Name, MatchType: kadm.QuotasMatchType(0)}
		switch {
		case m.Any:
			f.MatchType = kadm.QuotasMatchType(2)
		case m.Name == nil:
			f.MatchType = kadm.QuotasMatchType(1)
		}
		filter = append(filter, f)
	}
	got, err := a.adm.DescribeClientQuotas(ctx, true, filter)
	if err != nil {
		return nil, a.c.explain("describe quotas", "", err)
	}
	var out []Quota
	for _, q := range got {
		quota := Quota{Values: map[string]float64{}}
		for _, part := range q.Entity {
			quota.Entity = append(quota.Entity, QuotaEntity{part.Type, part.Name})
		}
		for _, v := range q.Values {
			quota.Values[v.Key] = v.Value
		}
		out = append(out, quota)
	}
	return out, nil
}

// AlterQuota sets and removes limits of one entity.
func (a *Admin) AlterQuota(ctx context.Context, entity []QuotaEntity, set map[string]float64, remove ...string) error {
	entry := kadm.AlterClientQuotaEntry{}
	for _, e := range entity {
		entry.Entity = append(entry.Entity, kadm.ClientQuotaEntityComponent{Type: e.Type, Name: e.Name})
	}
	keys := make([]string, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		entry.Ops = append(entry.Ops, kadm.AlterClientQuotaOp{Key: k, Value: set[k]})
	}
	for _, k := range remove {
		entry.Ops = append(entry.Ops, kadm.AlterClientQuotaOp{Key: k, Remove: true})
	}
	got, err := a.adm.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{entry})
	if err != nil {
		return a.c.explain("alter quotas", "", err)
	}
	for _, g := range got {
		if g.Err != nil {
			return &Error{Doing: "alter quotas", Code: g.Err, Message: g.ErrMessage}
		}
	}
	return nil
}

// Credential is one SCRAM credential of a user.
type Credential struct {
	Mechanism  string `json:"mechanism"` // SCRAM-SHA-256 or SCRAM-SHA-512
	Iterations int32  `json:"iterations"`
}

// Credentials lists SCRAM credentials by user: of all users when none is named.
func (a *Admin) Credentials(ctx context.Context, users ...string) (map[string][]Credential, error) {
	got, err := a.adm.DescribeUserSCRAMs(ctx, users...)
	if err != nil {
		return nil, a.c.explain("describe SCRAM credentials", "", err)
	}
	out := map[string][]Credential{}
	for user, d := range got {
		if d.Err != nil {
			continue // has none
		}
		for _, c := range d.CredInfos {
			out[user] = append(out[user], Credential{c.Mechanism.String(), c.Iterations})
		}
	}
	return out, nil
}

// SetCredential makes or replaces a SCRAM credential; only a salted hash travels.
func (a *Admin) SetCredential(ctx context.Context, user string, c Credential, password string) error {
	return a.alterCredential(ctx, user, nil, []kadm.UpsertSCRAM{{User: user, Mechanism: scramOf(c.Mechanism), Iterations: c.Iterations, Password: password}})
}

// DeleteCredential removes a SCRAM credential.
func (a *Admin) DeleteCredential(ctx context.Context, user, mechanism string) error {
	return a.alterCredential(ctx, user, []kadm.DeleteSCRAM{{User: user, Mechanism: scramOf(mechanism)}}, nil)
}

func (a *Admin) alterCredential(ctx context.Context, user string, del []kadm.DeleteSCRAM, set []kadm.UpsertSCRAM) error {
	got, err := a.adm.AlterUserSCRAMs(ctx, del, set)
	if err != nil {
		return a.c.explain("alter SCRAM credentials of user", user, err)
	}
	for _, g := range got {
		if g.Err != nil {
			return &Error{Doing: "alter SCRAM credentials of user", Name: user, Code: g.Err, Message: g.ErrMessage}
		}
	}
	return nil
}

func scramOf(mechanism string) kadm.ScramMechanism {
	if mechanism == "SCRAM-SHA-512" {
		return kadm.ScramSha512
	}
	return kadm.ScramSha256
}
