// Command stackspec says what `docker stack deploy` would send to a swarm, where there is none.
//
// It reads one JSON object a line and answers each with one line, so that one process serves many
// stacks. README.md describes both. What it runs is docker/cli's own command (deploy.go), which
// talks to an engine that is a function of this program (engine.go).
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/sirupsen/logrus"
)

const (
	exitApparatus = 2
	exitUsage     = 64
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("stackspec of docker/cli", version("github.com/docker/cli"))
		return
	}
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "stackspec answers JSON lines on stdin, and takes no argument but --version")
		os.Exit(exitUsage)
	}
	logrus.SetFormatter(messageAlone{})
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "stackspec:", err)
		os.Exit(exitApparatus)
	}
}

// version is that of a module that this program was built of.
func version(module string) string {
	if built, known := debug.ReadBuildInfo(); known {
		for _, one := range built.Deps {
			if one.Path == module {
				return one.Version
			}
		}
	}
	return "unknown"
}

// serve answers one question after the other until the input ends.
func serve(in io.Reader, out io.Writer) error {
	lines, answers := bufio.NewReader(in), json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if err := answers.Encode(answerTo(line)); err != nil {
				return fmt.Errorf("the answer cannot be written: %w", err)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the questions cannot be read: %w", err)
		}
	}
}

// messageAlone leaves out the time and level that docker/cli's loader would log its warnings with.
type messageAlone struct{}

func (messageAlone) Format(entry *logrus.Entry) ([]byte, error) {
	return []byte(entry.Message + "\n"), nil
}
