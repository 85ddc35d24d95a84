package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func (a *app) aliasesCommand() *cobra.Command {
	var dir string
	var force bool
	c := &cobra.Command{Use: "install-aliases", Short: "Make links by the names of Kafka's commands, with and without .sh", Args: cobra.NoArgs,
		Example: "  brokerd install-aliases --dir ~/kafka/bin"}
	c.Flags().StringVar(&dir, "dir", "", "where (default: beside this program)")
	c.Flags().BoolVar(&force, "force", false, "replace files of these names that are not links to brokerd")
	c.RunE = func(*cobra.Command, []string) error {
		program, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		if dir == "" {
			dir = filepath.Dir(program)
		}
		made, err := installAliases(program, dir, force)
		if err != nil {
			return err
		}
		if a.json() {
			return printJSON(a.e.Out, map[string]any{"dir": dir, "links": made})
		}
		a.note("%d links to %s in %s", len(made), program, dir)
		return nil
	}
	return c
}

// installAliases links every Kafka name to program. It replaces its own links,
// never anybody's file.
func installAliases(program, dir string, force bool) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make directory for links: %w", err)
	}
	var made []string
	for _, tool := range faceNames() {
		for _, name := range []string{tool, tool + ".sh"} {
			link := filepath.Join(dir, name)
			if err := replaceable(link, force); err != nil {
				return made, err
			}
			if err := os.Symlink(program, link); err != nil {
				return made, fmt.Errorf("make link: %w", err)
			}
			made = append(made, name)
		}
	}
	return made, nil
}

// replaceable clears the way for a link.
func replaceable(link string, force bool) error {
	info, err := os.Lstat(link)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink == 0 && !force {
		return &cliError{text: fmt.Sprintf("%s exists and is no link", link), hint: "it may be a real Kafka's: choose another --dir, or replace it with --force", code: exitConflict}
	}
	return os.Remove(link)
}
