//go:build !v6

package main

import (
	"os"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/memfs"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
	storage "github.com/go-git/go-git/v5/storage/filesystem"
)

type (
	repository = git.Repository
	filesystem = billy.Filesystem
	file       = billy.File
	entry      = os.FileInfo
)

var plainOpen = git.PlainOpen

func inMemory() filesystem { return memfs.New() }

func globalPatterns() ([]gitignore.Pattern, error) {
	return gitignore.LoadGlobalPatterns(osfs.New("/"))
}

func dotGitOf(opened *repository) filesystem { return opened.Storer.(*storage.Storage).Filesystem() }

func folderOf(opened *git.Worktree) filesystem { return opened.Filesystem }

func reopen(dotGit, folder filesystem) (*repository, error) {
	return git.Open(storage.NewStorage(dotGit, cache.NewObjectLRUDefault()), folder)
}
