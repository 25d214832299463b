// Command gogit says what go-git reads from repositories: HEAD, and whether the work tree is clean.
//
// It reads one JSON object a line from its input, {"path": …, "global_excludes": …}, and answers
// each with one line, so that one process serves thousands of repositories. The calls are those of
// abra@06a57de pkg/recipe/git.go:300-318 and :483-495: PlainOpen, Head, Worktree, Status, IsClean.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
)

// question names a repository. GlobalExcludes adds the patterns of the file that
// $HOME/.gitconfig names as core.excludesFile, as abra is believed to do (unverified).
type question struct {
	Path           string `json:"path"`
	GlobalExcludes bool   `json:"global_excludes"`
	Home           string `json:"home"`
}

// answer holds HEAD's hash, cleanliness and what changed, or the step that failed and why.
type answer struct {
	Head    string            `json:"head"`
	Clean   bool              `json:"clean"`
	Changes map[string]string `json:"changes"`
	Failed  string            `json:"failed"`
	Reason  string            `json:"reason"`
}

func main() {
	questions := bufio.NewScanner(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for questions.Scan() {
		var asked question
		if err := json.Unmarshal(questions.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, "gogit: a line that is no question:", err)
			os.Exit(64)
		}
		if err := answers.Encode(read(asked)); err != nil {
			fmt.Fprintln(os.Stderr, "gogit: the answer cannot be written:", err)
			os.Exit(2)
		}
	}
	if err := questions.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "gogit: the questions cannot be read:", err)
		os.Exit(2)
	}
}

// read asks go-git about one repository. A panic of go-git's is an answer too.
func read(asked question) (found answer) {
	defer func() {
		if panicked := recover(); panicked != nil {
			found = answer{Head: found.Head, Failed: "panic", Reason: fmt.Sprint(panicked)}
		}
	}()
	repository, err := git.PlainOpen(asked.Path)
	if err != nil {
		return answer{Failed: "open", Reason: err.Error()}
	}
	head, err := repository.Head()
	if err != nil {
		return answer{Failed: "head", Reason: err.Error()}
	}
	found.Head = head.Hash().String()
	worktree, err := repository.Worktree()
	if err != nil {
		return answer{Head: found.Head, Failed: "worktree", Reason: err.Error()}
	}
	if asked.GlobalExcludes {
		if err := os.Setenv("HOME", asked.Home); err != nil {
			return answer{Head: found.Head, Failed: "excludes", Reason: err.Error()}
		}
		patterns, err := gitignore.LoadGlobalPatterns(osfs.New("/"))
		if err != nil {
			return answer{Head: found.Head, Failed: "excludes", Reason: err.Error()}
		}
		worktree.Excludes = append(worktree.Excludes, patterns...)
	}
	status, err := worktree.Status()
	if err != nil {
		return answer{Head: found.Head, Failed: "status", Reason: err.Error()}
	}
	found.Clean, found.Changes = status.IsClean(), map[string]string{}
	for name, file := range status {
		found.Changes[name] = string([]byte{byte(file.Staging), byte(file.Worktree)})
	}
	return found
}
