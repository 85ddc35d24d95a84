package conf

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"bytes"

	"go.yaml.in/yaml/v3"
)

// maxYAMLEntries bounds what one file may expand to through aliases.
const maxYAMLEntries = 10000

// parseYAML reads settings from YAML: dotted keys, nested ones, or both mixed.
// A list becomes Kafka's comma list, nothing becomes the empty text, and every
// scalar is taken as it is written (08 stays 08, no stays no).
func parseYAML(data []byte) ([]property, []syntaxError) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var w yamlWalker
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return w.props, w.errs
		}
		if err != nil {
			return w.props, append(w.errs, syntaxError{0, strings.TrimPrefix(err.Error(), "yaml: ")})
		}
		w.walk("", &doc, 0)
	}
}

type yamlWalker struct {
	props []property
	errs  []syntaxError
}

func (w *yamlWalker) fail(n *yaml.Node, format string, args ...any) {
	w.errs = append(w.errs, syntaxError{n.Line, fmt.Sprintf(format, args...)})
}

func (w *yamlWalker) walk(path string, n *yaml.Node, depth int) {
	if depth > 50 || len(w.props) > maxYAMLEntries {
		if len(w.errs) == 0 {
			w.fail(n, "nested too deeply or too many entries")
		}
		return
	}
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			w.walk(path, c, depth+1)
		}
	case yaml.AliasNode:
		w.walk(path, n.Alias, depth+1)
	case yaml.MappingNode:
		w.mapping(path, n, depth)
	case yaml.SequenceNode:
		w.sequence(path, n)
	case yaml.ScalarNode:
		w.scalar(path, n)
	}
}

func (w *yamlWalker) mapping(path string, n *yaml.Node, depth int) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			w.fail(k, "a key must be a word")
			continue
		}
		name := k.Value
		if name == "<<" {
			w.walk(path, v, depth+1)
			continue
		}
		if path != "" {
			name = path + "." + name
		}
		w.walk(name, v, depth+1)
	}
}

func (w *yamlWalker) sequence(path string, n *yaml.Node) {
	if path == "" {
		w.fail(n, "expected keys, found a list")
		return
	}
	var parts []string
	for _, c := range n.Content {
		if c.Kind != yaml.ScalarNode {
			w.fail(c, "%s: a list may hold only words", path)
			return
		}
		parts = append(parts, c.Value)
	}
	w.props = append(w.props, property{key: path, value: strings.Join(parts, ","), line: n.Line})
}

func (w *yamlWalker) scalar(path string, n *yaml.Node) {
	value := n.Value
	if n.Tag == "!!null" {
		value = ""
	}
	if path == "" {
		if value != "" {
			w.fail(n, "expected keys, found %q", value)
		}
		return
	}
	w.props = append(w.props, property{key: path, value: value, line: n.Line})
}
