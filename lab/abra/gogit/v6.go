//go:build v6

package main

import (
	"io/fs"

	"github.com/go-git/go-billy/v6"
	"github.com/go-git/go-billy/v6/memfs"
	"github.com/go-git/go-billy/v6/osfs"
	"github.com/go-git/go-git/v6"
	"github.com/go-git/go-git/v6/plumbing/cache"
	"github.com/go-git/go-git/v6/plumbing/format/gitignore"
	storage "github.com/go-git/go-git/v6/storage/filesystem"
)

type (
	repository = git.Repository
	filesystem = billy.Filesystem
	file       = billy.File
	entry      = fs.DirEntry
)

var plainOpen = git.PlainOpen

func inMemory() filesystem { return memfs.New() }

func globalPatterns() ([]gitignore.Pattern, error) {
	return gitignore.LoadGlobalPatterns(osfs.New("/"))
}

func dotGitOf(opened *repository) filesystem { return opened.Storer.(*storage.Storage).Filesystem() }

func folderOf(opened *git.Worktree) filesystem { return opened.Filesystem() }

func reopen(dotGit, folder filesystem) (*repository, error) {
	return git.Open(storage.NewStorage(dotGit, cache.NewObjectLRUDefault()), folder)
}
