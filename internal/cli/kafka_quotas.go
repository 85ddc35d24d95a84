package cli

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// quotaTypes names the wire's types of the entities that have quotas.
func quotaType(kind string) string {
	switch kind {
	case "users":
		return "user"
	case "clients":
		return "client-id"
	}
	return "ip"
}

func (f configsFace) describeQuotas(ctx context.Context) error {
	var match []client.QuotaMatch
	var users []string
	scram := true
	for _, ent := range f.entities {
		m := client.QuotaMatch{Type: quotaType(ent.kind), Any: !ent.named}
		if ent.name != "" {
			name := ent.name
			m.Name = &name
			users = append(users, name)
		}
		match = append(match, m)
		scram = scram && ent.kind == "users" && !(ent.named && ent.name == "")
	}
	quotas, err := f.admin.Quotas(ctx, match...)
	if err != nil {
		return err
	}
	for _, q := range quotas {
		fmt.Fprintf(f.e.Out, "Quota configs for %s are %s\n", quotaEntity(q.Entity), quotaValues(q.Values))
	}
	if !scram {
		return nil
	}
	credentials, err := f.admin.Credentials(ctx, users...)
	if err != nil {
		return err
	}
	for _, user := range sortedKeys(credentials) {
		var parts []string
		for _, c := range credentials[user] {
			parts = append(parts, fmt.Sprintf("%s=iterations=%d", c.Mechanism, c.Iterations))
		}
		fmt.Fprintf(f.e.Out, "SCRAM credential configs for user-principal '%s' are %s\n", user, strings.Join(parts, ", "))
	}
	return nil
}

func quotaEntity(parts []client.QuotaEntity) string {
	var out []string
	for _, kind := range []string{"user", "client-id", "ip"} {
		for _, p := range parts {
			if p.Type != kind {
				continue
			}
			label := map[string]string{"user": "user-principal", "client-id": "client-id", "ip": "ip"}[kind]
			if p.Name == nil {
				out = append(out, "the default "+label)
			} else {
				out = append(out, fmt.Sprintf("%s '%s'", label, *p.Name))
			}
		}
	}
	return strings.Join(out, ", ")
}

func quotaValues(values map[string]float64) string {
	var out []string
	for _, k := range sortedKeys(values) {
		out = append(out, k+"="+javaDouble(values[k]))
	}
	return strings.Join(out, ", ")
}

// javaDouble writes a number as Java's Double.toString does.
func javaDouble(v float64) string {
	if a := max(v, -v); a != 0 && (a >= 1e7 || a < 1e-3) {
		s := strconv.FormatFloat(v, 'E', -1, 64)
		mantissa, exp, _ := strings.Cut(s, "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exp) // FormatFloat wrote it
		return mantissa + "E" + strconv.Itoa(n)
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func (f configsFace) alterQuotas(ctx context.Context, add client.Config, remove []string) error {
	kind := f.entities[0].kind
	isScram := func(k string) bool { return k == "SCRAM-SHA-256" || k == "SCRAM-SHA-512" }
	both := append(slices.Clone(remove), sortedKeys(add)...)
	if !slices.ContainsFunc(both, isScram) {
		return f.alterLimits(ctx, add, remove)
	}
	switch {
	case kind != "users" || len(f.entities) > 1:
		return illegal("Only quota configs can be added for 'clients' using --bootstrap-server. Unexpected config names: %s", strings.Join(both, ","))
	case f.entities[0].name == "":
		return illegal("The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials using --bootstrap-server.")
	case slices.ContainsFunc(both, func(k string) bool { return !isScram(k) }):
		return illegal("Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using --bootstrap-server.")
	}
	return f.alterCredentials(ctx, add, remove)
}

func (f configsFace) alterLimits(ctx context.Context, add client.Config, remove []string) error {
	limits := map[string]float64{}
	for k, v := range add {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return illegal("Cannot parse quota configuration value for %s: %s", k, v)
		}
		limits[k] = n
	}
	var parts []client.QuotaEntity
	for _, ent := range f.entities {
		p := client.QuotaEntity{Type: quotaType(ent.kind)}
		if ent.name != "" {
			name := ent.name
			p.Name = &name
		}
		parts = append(parts, p)
	}
	return f.admin.AlterQuota(ctx, parts, limits, remove...)
}

// alterCredentials reads values as [iterations=8192,password=secret].
func (f configsFace) alterCredentials(ctx context.Context, add client.Config, remove []string) error {
	user := f.entities[0].name
	pattern := regexp.MustCompile(`^(?:iterations=(-?[0-9]*),)?password=(.*)$`)
	for _, mechanism := range sortedKeys(add) {
		m := pattern.FindStringSubmatch(add[mechanism])
		if m == nil {
			return illegal("Invalid credential property %s=%s", mechanism, add[mechanism])
		}
		iterations := int64(4096)
		if m[1] != "" && m[1] != "-1" {
			n, err := strconv.ParseInt(m[1], 10, 32)
			if err != nil || n < 4096 {
				return illegal("Iterations %s is less than the minimum 4096 required for %s", m[1], mechanism)
			}
			iterations = n
		}
		if err := f.admin.SetCredential(ctx, user, client.Credential{Mechanism: mechanism, Iterations: int32(iterations)}, m[2]); err != nil {
			return err
		}
	}
	for _, mechanism := range remove {
		if err := f.admin.DeleteCredential(ctx, user, mechanism); err != nil {
			return err
		}
	}
	return nil
}
