package cli

import (
	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

func (a *app) partitionsRelocate() *cobra.Command {
	var broker int32
	var dir string
	c := &cobra.Command{Use: "relocate PARTITION... --broker ID --dir DIRECTORY", Short: "Begin to move replicas into another log directory of their broker", Args: needNames("partition"),
		Example: "  brokerd partitions relocate orders-0 orders-1 --broker 3 --dir /disk2\n  brokerd partitions dirs orders --broker 3                               how far it is",
		Long:    "Begin to move replicas into another log directory of their broker. Asking for the directory where a replica is calls its move off."}
	c.Flags().Int32Var(&broker, "broker", -1, "the `ID` of the broker whose replicas move")
	hideDefault(c, "broker")
	c.Flags().StringVar(&dir, "dir", "", "the log `DIRECTORY` where they are to be, as `partitions dirs` prints it")
	c.RunE = func(c *cobra.Command, args []string) error {
		ids, err := partitionNames(args)
		if err != nil {
			return err
		}
		if broker < 0 {
			return usageErr("name the broker: --broker 3", "no broker is named")
		}
		if dir == "" {
			return usageErr("`brokerd partitions dirs` lists them: --dir /disk2", "no log directory is named")
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		to := map[client.ReplicaID]string{}
		for _, id := range ids {
			to[client.ReplicaID{Partition: id, Broker: broker}] = dir
		}
		results, err := admin.MoveReplicas(ctx, to)
		if err != nil {
			return err
		}
		var list []outcome
		for _, r := range results {
			o := outcome{Name: r.Partition.String(), Status: "moving", text: r.Partition.String() + " moves to " + dir}
			if r.Err != nil {
				o.err = explained(r.Err, a.address)
			}
			list = append(list, o)
		}
		return a.outcomes(list)
	}
	return c
}
