// Command seeded writes, into a folder, a runtime of Go's whose dice can be seeded:
//
//	go run ./seeded FOLDER
//	go build -overlay FOLDER/overlay.json -tags seeded -o swarmsim .
//
// Go throws dice for the order of a select's ready cases, of timers of a bubble that are due at one
// moment, and of a map's entries; it keys its hashes by chance, and takes the processor away from a
// goroutine that had it for 10 ms. SwarmKit's races end one way or the other by that. With the few
// lines below in the place of the runtime's own, one seed gives one history.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A patch is one line of a file of the runtime, which must be there exactly once, and what takes its
// place.
type patch struct{ file, line, by string }

var patches = []patch{
	{"select.go", "j := cheaprandn(uint32(norder + 1))", "j := dice() % uint32(norder+1)"},
	{"time.go", "t.rand = cheaprand()", "t.rand = dice()"},
	{"rand.go", "func maps_rand() uint64 {\n\treturn rand()\n}", mapsRand},
	{"rand.go", "globalRand.state.Init(*seed)", "*seed = [32]byte{}\n\tglobalRand.state.Init(*seed)"},
	{"proc.go", "const forcePreemptNS = 10 * 1000 * 1000", "const forcePreemptNS = 1e9 * 3600"},
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
		err = patchRuntime(folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "seeded:", err)
		os.Exit(1)
	}
}

// patchRuntime writes the changed files, and the list of them that `go build -overlay` wants.
func patchRuntime(folder string) error {
	root, version, err := findGo()
	if err != nil {
		return err
	}
	changed := map[string]string{}
	for _, one := range patches {
		path := filepath.Join(root, "src", "runtime", one.file)
		if changed[path] == "" {
			raw, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("the sources of Go's runtime are needed: %w", err)
			}
			changed[path] = string(raw)
		}
		if found := strings.Count(changed[path], one.line); found != 1 {
			return fmt.Errorf("%s has another runtime than is known here (%s has %d times %q): "+
				"take an older Go", version, one.file, found, one.line)
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
