//go:build mutate

package sim

import (
	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/meta"
)

// switchOff switches a rule of the cores off, "" none.
func switchOff(rule string) { isr.Without, meta.Without = rule, rule }

const canMutate = true
