// Command gogit says what go-git reads from repositories: HEAD, and whether the work tree is clean.
//
// It reads one JSON object a line from its input, {"path": …}, and answers each with one line, so
// that one process serves thousands of repositories. The calls are those of abra@06a57de
// pkg/recipe/git.go:300-318 and :483-495: PlainOpen, Head, Worktree, Status, IsClean. Which go-git
// it holds is decided by the module file that it is built with (go*.mod) and the tag v6.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
)

// addressSpaceBytes ends the program, not the machine, where a file of a repository is endless.
const addressSpaceBytes = 4 << 30

// question names a repository. Home adds the patterns of the file that $HOME/.gitconfig names as
// core.excludesFile, as abra is believed to do (unverified). Direct has go-git work on the
// repository itself, not on a view that keeps what it writes in memory: for tests of that view.
type question struct {
	Path   string `json:"path"`
	Home   string `json:"home"`
	Direct bool   `json:"direct"`
}

// answer holds HEAD's hash and what changed since, or the step that failed and go-git's reason.
type answer struct {
	GoGit   string            `json:"go_git"`
	Head    string            `json:"head"`
	Changes map[string]string `json:"changes"`
	Failed  string            `json:"failed"`
	Reason  string            `json:"reason"`
}

func main() {
	version := versionOfGoGit()
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("gogit of go-git", version)
		return
	}
	limit := syscall.Rlimit{Cur: addressSpaceBytes, Max: addressSpaceBytes}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		fail(2, "the memory cannot be limited:", err)
	}
	questions := bufio.NewScanner(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for questions.Scan() {
		var asked question
		if err := json.Unmarshal(questions.Bytes(), &asked); err != nil {
			fail(64, "a line that is no question:", err)
		}
		found := read(asked)
		found.GoGit = version
		if err := answers.Encode(found); err != nil {
			fail(2, "the answer cannot be written:", err)
		}
	}
	if err := questions.Err(); err != nil {
		fail(2, "the questions cannot be read:", err)
	}
}

func fail(code int, what string, err error) {
	fmt.Fprintln(os.Stderr, "gogit:", what, err)
	os.Exit(code)
}

// versionOfGoGit returns the version that was linked, without its v.
func versionOfGoGit() string {
	built, _ := debug.ReadBuildInfo()
	for _, module := range built.Deps {
		if strings.HasPrefix(module.Path, "github.com/go-git/go-git/") {
			return strings.TrimPrefix(module.Version, "v")
		}
	}
	return "unknown"
}

// read asks go-git about one repository. A panic of go-git's is an answer too.
func read(asked question) (found answer) {
	defer func() {
		if panicked := recover(); panicked != nil {
			found = answer{Head: found.Head, Failed: "panic", Reason: fmt.Sprint(panicked)}
		}
	}()
	refuse := func(step string, err error) answer {
		return answer{Head: found.Head, Failed: step, Reason: err.Error()}
	}
	repository, err := open(asked.Path, asked.Direct)
	if err != nil {
		return refuse("open", err)
	}
	head, err := repository.Head()
	if err != nil {
		return refuse("head", err)
	}
	found.Head = head.Hash().String()
	worktree, err := repository.Worktree()
	if err != nil {
		return refuse("worktree", err)
	}
	if asked.Home != "" {
		if err := os.Setenv("HOME", asked.Home); err != nil {
			return refuse("excludes", err)
		}
		patterns, err := globalPatterns()
		if err != nil {
			return refuse("excludes", err)
		}
		worktree.Excludes = append(worktree.Excludes, patterns...)
	}
	status, err := worktree.Status()
	if err != nil {
		return refuse("status", err)
	}
	found.Changes = map[string]string{}
	if status.IsClean() {
		return found
	}
	for name, file := range status {
		found.Changes[name] = string([]byte{byte(file.Staging), byte(file.Worktree)})
	}
	return found
}
