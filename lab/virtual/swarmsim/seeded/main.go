// Command seeded writes, into a folder, those files of Go's own that throw dice, with dice that can be
// seeded:
//
//	go run ./seeded FOLDER
//	go build -overlay FOLDER/overlay.json -tags seeded -o swarmsim .
//
// Go throws dice for the order of a select's ready cases, of timers of a bubble that are due at one
// moment, and of a map's entries; it keys its hashes by chance. It takes the processor away from a
// goroutine that had it for 10 ms, and lets one that waited for a lock for 1 ms go first: by the
// machine's clock, not the bubble's. SwarmKit's races end one way or the other by all that. With the
// few lines below in the place of Go's own, one seed gives one history, however busy the machine is.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A patch is a line of one of Go's files, which must be there exactly once, and what takes its place.
type patch struct{ file, line, by string }

var patches = []patch{
	{"runtime/select.go", "j := cheaprandn(uint32(norder + 1))", "j := dice() % uint32(norder+1)"},
	{"runtime/time.go", "t.rand = cheaprand()", "t.rand = dice()"},
	{"runtime/rand.go", "func maps_rand() uint64 {\n\treturn rand()\n}", mapsRand},
	{"runtime/rand.go", "globalRand.state.Init(*seed)", "*seed = [32]byte{}\n\tglobalRand.state.Init(*seed)"},
	{"runtime/proc.go", "const forcePreemptNS = 10 * 1000 * 1000", "const forcePreemptNS = 3600e9"},
	{"internal/sync/mutex.go", "starvationThresholdNs = 1e6", "starvationThresholdNs = 3600e9"},
}

const mapsRand = `func maps_rand() uint64 {
	return uint64(dice())<<32 | uint64(dice())
}

var diceSeed uint64

//go:linkname seedDice
func seedDice(seed uint64) { diceSeed = seed }

// dice is splitmix64.
//
//go:nosplit
func dice() uint32 {
	diceSeed += 0x9e3779b97f4a7c15
	z := diceSeed
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return uint32((z ^ (z >> 31)) >> 32)
}`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "seeded: name a folder for the changed files of Go's runtime")
		os.Exit(64)
	}
	folder, err := filepath.Abs(os.Args[1])
	if err == nil {
		err = patchGo(folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "seeded:", err)
		os.Exit(1)
	}
}

// patchGo writes the changed files, and the list of them that `go build -overlay` wants.
func patchGo(folder string) error {
	root, version, err := findGo()
	if err != nil {
		return err
	}
	changed := map[string]string{}
	for _, one := range patches {
		path := filepath.Join(root, "src", filepath.FromSlash(one.file))
		if changed[path] == "" {
			raw, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("the sources of Go itself are needed: %w", err)
			}
			changed[path] = string(raw)
		}
		if found := strings.Count(changed[path], one.line); found != 1 {
			return fmt.Errorf("%s is another Go than those known here (%s has %d times %q): "+
				"take an older one", version, one.file, found, one.line)
		}
		changed[path] = strings.Replace(changed[path], one.line, one.by, 1)
	}
	overlay := map[string]map[string]string{"Replace": {}}
	for path, text := range changed {
		own := filepath.Join(folder, filepath.Base(path))
		overlay["Replace"][path] = own
		if err := os.WriteFile(own, []byte(text), 0o600); err != nil {
			return err
		}
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "overlay.json"), list, 0o600)
}

// findGo says where the Go is that runs this, and which version it has: `go run` puts it first on the
// PATH of what it runs.
func findGo() (root, version string, err error) {
	said, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	root, version, _ = strings.Cut(strings.TrimSpace(string(said)), "\n")
	return root, version, err
}
