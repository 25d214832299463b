package main

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
)

const writing = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREATE | os.O_TRUNC

// shield shows a folder as it is, and what go-git writes as if it were there, which it never is:
// by asking for a status go-git makes the repository of a submodule that has none
// (submodule.go, Repository), and a link in .git may lead that anywhere.
type shield struct {
	filesystem
	written filesystem // in memory
}

func shielded(real filesystem) filesystem { return &shield{real, inMemory()} }

// open opens a repository as go-git does, then puts the shield before both of its folders.
func open(path string, direct bool) (*repository, error) {
	opened, err := plainOpen(path)
	if err != nil || direct {
		return opened, err
	}
	worktree, err := opened.Worktree()
	if err != nil {
		return nil, err
	}
	return reopen(shielded(dotGitOf(opened)), shielded(folderOf(worktree)))
}

func (s *shield) OpenFile(name string, flag int, mode os.FileMode) (file, error) {
	if flag&writing == 0 {
		if opened, err := s.written.Open(name); err == nil {
			return opened, nil
		}
		return s.filesystem.OpenFile(name, flag, mode)
	}
	if err := s.requirePlace(name); err != nil {
		return nil, err
	}
	if _, err := s.written.Stat(name); err != nil && flag&os.O_TRUNC == 0 {
		if err := s.copy(name); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	return s.written.OpenFile(name, flag, mode)
}

// requirePlace refuses to write where a real folder, or a real file in a folder's place, is in the way.
func (s *shield) requirePlace(name string) error {
	if found, err := s.filesystem.Stat(name); err == nil && found.IsDir() {
		return &os.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	}
	for above := filepath.Dir(name); above != "." && above != "/"; above = filepath.Dir(above) {
		if found, err := s.filesystem.Stat(above); err == nil && !found.IsDir() {
			return &os.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
		}
	}
	return nil
}

// copy brings a file that is about to be changed into memory.
func (s *shield) copy(name string) error {
	from, err := s.filesystem.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := s.written.Create(name)
	if err != nil {
		return err
	}
	defer to.Close()
	_, err = io.Copy(to, from)
	return err
}

func (s *shield) Open(name string) (file, error) { return s.OpenFile(name, os.O_RDONLY, 0) }

func (s *shield) Create(name string) (file, error) {
	return s.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

func (s *shield) Stat(name string) (os.FileInfo, error) {
	return s.see(name, s.filesystem.Stat, s.written.Stat)
}

func (s *shield) Lstat(name string) (os.FileInfo, error) {
	return s.see(name, s.filesystem.Lstat, s.written.Lstat)
}

// see prefers a file that was written to the real one, and a real folder to one in memory.
func (s *shield) see(name string, real, written look) (os.FileInfo, error) {
	ours, failed := written(name)
	if failed == nil && !ours.IsDir() {
		return ours, nil
	}
	theirs, err := real(name)
	if err != nil && os.IsNotExist(err) && failed == nil {
		return ours, nil
	}
	return theirs, err
}

type look func(name string) (os.FileInfo, error)

func (s *shield) ReadDir(name string) ([]entry, error) {
	theirs, err := s.filesystem.ReadDir(name)
	ours, failed := s.written.ReadDir(name)
	if failed != nil || (err != nil && !os.IsNotExist(err)) {
		return theirs, err
	}
	seen := map[string]bool{}
	for _, one := range theirs {
		seen[one.Name()] = true
	}
	for _, one := range ours {
		if !seen[one.Name()] {
			theirs = append(theirs, one)
		}
	}
	return theirs, nil
}

func (s *shield) MkdirAll(name string, mode os.FileMode) error { return s.written.MkdirAll(name, mode) }

func (s *shield) TempFile(folder, prefix string) (file, error) {
	return s.written.TempFile(folder, prefix)
}

func (s *shield) Rename(from, to string) error { return s.written.Rename(from, to) }

func (s *shield) Remove(name string) error { return s.written.Remove(name) }

func (s *shield) Symlink(target, link string) error { return s.written.Symlink(target, link) }

func (s *shield) Chroot(name string) (filesystem, error) {
	real, err := s.filesystem.Chroot(name)
	if err != nil {
		return nil, err
	}
	written, err := s.written.Chroot(name)
	return &shield{real, written}, err
}
