// Command seeded runs the go command with a runtime whose dice can be seeded:
//
//	go run ./seeded build -o swarmsim .
//	go run ./seeded test ./...
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
	if len(os.Args) < 2 {
		fail(64, "say which go command to run, such as: go run ./seeded build -o swarmsim .")
	}
	folder, err := os.MkdirTemp("", "swarmsim-seeded-")
	if err != nil {
		fail(1, err)
	}
	code, err := run(folder, os.Args[1], os.Args[2:])
	os.RemoveAll(folder)
	if err != nil {
		fail(1, err)
	}
	os.Exit(code)
}

func fail(code int, why any) {
	fmt.Fprintln(os.Stderr, "seeded:", why)
	os.Exit(code)
}

// run runs one go command over the patched runtime, and returns its exit code.
func run(folder, verb string, arguments []string) (int, error) {
	overlay, err := patchRuntime(folder)
	if err != nil {
		return 0, err
	}
	command := exec.Command("go", append([]string{verb, "-overlay", overlay, "-tags", "seeded"},
		arguments...)...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := command.Run(); err != nil && command.ProcessState == nil {
		return 0, err
	}
	return command.ProcessState.ExitCode(), nil
}

// patchRuntime writes the patched files, and says where the list of them is that go wants.
func patchRuntime(folder string) (string, error) {
	said, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	root, version, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	texts := map[string]string{}
	for _, one := range patches {
		path := filepath.Join(root, "src", "runtime", one.file)
		if texts[path] == "" {
			raw, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("the sources of Go's runtime are needed: %w", err)
			}
			texts[path] = string(raw)
		}
		if found := strings.Count(texts[path], one.line); found != 1 {
			return "", fmt.Errorf("%s has another runtime than the patches are for: %q is in %s %d "+
				"times; plain `go build` works, but then races end differently every time",
				version, one.line, path, found)
		}
		texts[path] = strings.Replace(texts[path], one.line, one.by, 1)
	}
	replaced := map[string]string{}
	for path, text := range texts {
		replaced[path] = filepath.Join(folder, filepath.Base(path))
		if err := os.WriteFile(replaced[path], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", err
	}
	list := filepath.Join(folder, "overlay.json")
	return list, os.WriteFile(list, overlay, 0o600)
}
