package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

func (a *app) debugCommand() *cobra.Command {
	c := &cobra.Command{Use: "debug", Short: "Look inside"}
	c.AddCommand(&cobra.Command{Use: "dump-log FILE...", Short: "Print every byte of files that brokerd or Kafka wrote", Args: needNames("file"),
		Example: "  brokerd debug dump-log data/orders-0/00000000000000000000.log --records",
		RunE:    func(*cobra.Command, []string) error { return errors.New("storage cannot print files yet") }})
	return c
}
