// Command brokerd is the broker and its command line in one binary.
package main

import (
	"os"

	"github.com/brokerd/brokerd/internal/cli"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(cli.Main(cli.OS(version))) }
