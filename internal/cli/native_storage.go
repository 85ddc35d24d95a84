package cli

import (
	"errors"
	"fmt"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/spf13/cobra"
)

func (a *app) storageCommand() *cobra.Command {
	c := &cobra.Command{Use: "storage", Short: "Format data directories, and tell whose they are",
		Long: "Format data directories, and tell whose they are. A server formats empty directories by itself."}
	c.AddCommand(
		&cobra.Command{Use: "random-uuid", Short: "Print a random cluster id", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			id := broker.NewID()
			if a.json() {
				return printJSON(a.e.Out, map[string]string{"clusterId": id})
			}
			_, err := fmt.Fprintln(a.e.Out, id)
			return err
		}},
		a.storageFormat(), a.storageInfo())
	return c
}

func (a *app) storageFormat() *cobra.Command {
	var file, dataDir, cluster, initial string
	var ignore bool
	c := &cobra.Command{Use: "format", Short: "Give empty data directories an owner", Args: cobra.NoArgs,
		Example: "  brokerd storage format --cluster-id $(brokerd storage random-uuid) --config server.properties"}
	f := c.Flags()
	f.StringVarP(&file, "config", "c", "", "the server's property `file`")
	f.StringVar(&dataDir, "data-dir", "", "format `DIR` instead of log.dirs")
	f.StringVarP(&cluster, "cluster-id", "t", "", "id of the cluster (default: a random one)")
	f.BoolVarP(&ignore, "ignore-formatted", "g", false, "a directory that is formatted for the same node is no error")
	f.StringVarP(&initial, "initial-controllers", "I", "", "`ID@HOST:PORT:DIRECTORY_ID,…`: gives the metadata directory its id")
	c.RunE = func(*cobra.Command, []string) error {
		settings, err := a.settings(file, dataDir)
		if err != nil {
			return err
		}
		directory, err := ownDirectoryID(initial, settings.NodeID)
		if err != nil {
			return usageErr("", "%v", err)
		}
		list, err := broker.Format(vfs.NewOS(), broker.FormatOptions{Dirs: storageDirs(settings), ClusterID: cluster,
			NodeID: settings.NodeID, Directory: directory, IgnoreFormatted: ignore})
		if errors.Is(err, broker.ErrFormatted) {
			return &cliError{text: err.Error(), code: exitFailed, err: err}
		}
		if err != nil {
			return err
		}
		if a.json() {
			return printJSON(a.e.Out, formattedJSON(list))
		}
		for _, one := range list {
			done := "formatted"
			if one.Already {
				done = "already formatted:"
			}
			fmt.Fprintf(a.e.Out, "%s %s  cluster %s  node %d  directory %s\n", done, one.Dir, one.Meta.ClusterID, one.Meta.NodeID, one.Meta.Directory)
		}
		return nil
	}
	return c
}

// settings loads the configuration of a server that is not running.
func (a *app) settings(file, dataDir string) (*conf.Broker, error) {
	src := conf.Sources{Env: serverEnviron(), DataDir: dataDir}
	if file != "" {
		src.Files = []string{file}
	}
	settings, report := conf.Load(src)
	for _, w := range report.Warnings() {
		a.warn(w.String())
	}
	return settings, report.Err()
}

type directoryJSON struct {
	Dir       string `json:"dir"`
	Formatted bool   `json:"formatted"` // by this call
	Cluster   string `json:"clusterId"`
	Node      int32  `json:"nodeId"`
	Directory string `json:"directoryId"`
}

func formattedJSON(list []broker.Formatted) []directoryJSON {
	out := make([]directoryJSON, len(list))
	for i, one := range list {
		out[i] = directoryJSON{one.Dir, !one.Already, one.Meta.ClusterID, one.Meta.NodeID, one.Meta.Directory.String()}
	}
	return out
}

func (a *app) storageInfo() *cobra.Command {
	var file, dataDir string
	c := &cobra.Command{Use: "info", Short: "Tell whose the data directories are", Args: cobra.NoArgs,
		Example: "  brokerd storage info --config server.properties\n  brokerd storage info --data-dir ./data -o json"}
	c.Flags().StringVarP(&file, "config", "c", "", "the server's property `file`")
	c.Flags().StringVar(&dataDir, "data-dir", "", "look at `DIR` instead of log.dirs")
	c.RunE = func(*cobra.Command, []string) error {
		settings, err := a.settings(file, dataDir)
		if err != nil {
			return err
		}
		info := broker.Inspect(vfs.NewOS(), storageDirs(settings))
		if a.json() {
			doc := map[string]any{"directories": append([]string{}, info.Found...), "problems": append([]string{}, info.Problems...)}
			if info.Meta != nil {
				doc["clusterId"], doc["nodeId"] = info.Meta.ClusterID, info.Meta.NodeID
			}
			if err := printJSON(a.e.Out, doc); err != nil {
				return err
			}
		} else {
			printStorageInfo(a.e.Out, info)
		}
		switch n := len(info.Problems); n {
		case 0:
		case 1:
			return &cliError{text: "1 problem with the storage", code: exitFailed}
		default:
			return &cliError{text: fmt.Sprintf("%d problems with the storage", n), code: exitFailed}
		}
		return nil
	}
	return c
}
