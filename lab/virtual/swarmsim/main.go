// Command swarmsim keeps one swarm at a time in a bubble of virtual time and is stepped by requests:
// one line of JSON on stdin each, answered by exactly one line on stdout. README.md has the protocol.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"github.com/sirupsen/logrus"
)

const (
	exitFailed = 1
	exitUsage  = 64
	// garbageBytes is how much memory may come into use before old memory is given back.
	garbageBytes = 256 << 20
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("swarmsim of swarmkit", version("github.com/moby/swarmkit/v2"))
		return
	}
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "swarmsim answers JSON lines on stdin, and takes no argument but --version")
		os.Exit(exitUsage)
	}
	becomeDeterministic()
	in, out := os.Stdin, os.Stdout
	os.Stdout = os.Stderr // the testing package would write there, among our answers
	// A bubble can only be had from a *testing.T (testing/synctest), and that only from a test.
	serving := testing.InternalTest{Name: "swarmsim", F: func(t *testing.T) {
		os.Exit(exitCode(serve(t, in, out)))
	}}
	everything := func(string, string) (bool, error) { return true, nil }
	testing.Main(everything, []testing.InternalTest{serving}, nil, nil)
}

// version is that of a module that this program was built of.
func version(module string) string {
	if built, known := debug.ReadBuildInfo(); known {
		for _, dependency := range built.Deps {
			if dependency.Path == module {
				return dependency.Version
			}
		}
	}
	return "unknown"
}

// becomeDeterministic takes away what would order SwarmKit's goroutines differently every time: with
// several processors they race, and the collector interrupts them where it likes (see collect).
func becomeDeterministic() {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	logrus.SetOutput(os.Stderr)
	logrus.SetLevel(logrus.PanicLevel)
	if level, err := logrus.ParseLevel(os.Getenv("SWARMSIM_LOG")); err == nil {
		logrus.SetLevel(level)
	}
}

// collect gives old memory back, where there is much of it: between two requests, when SwarmKit has
// nothing to do that could be interrupted.
func collect() {
	if used() > kept+garbageBytes {
		runtime.GC()
		kept = used()
	}
}

// kept is what was in use after the last collection: what cannot be given back is no reason for
// another one.
var kept uint64

func used() uint64 {
	read := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(read)
	return read[0].Value.Uint64()
}

func exitCode(err error) int {
	if err == nil || err == io.EOF {
		return 0
	}
	fmt.Fprintln(os.Stderr, "swarmsim:", err)
	return exitFailed
}
