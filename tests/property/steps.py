"""What can be done to a repository: for each feature several ways, each a few shell commands."""

from __future__ import annotations

import os
import shlex

import msgspec
from hypothesis import strategies as st

EXISTING = ("a", "b.txt", "d/c.yml", "d/e/f", "run.sh", "crlf.txt", "id.txt", "t.log")
LINKS = ("link", "folder-link", "dangling")
NEW = ("new", "d/new.txt", "x.log", "d/x.log", "build/out", "build/keep.txt", "deep/er/est.txt")
ODD = (
    "sp ace",
    "ünï/cödé",
    "new\nline",
    "new\nline/in folder",
    "tab\t",
    "-dash",
    "back\\slash",
    "aux",
    "con.yml",
    "nul/in folder",
    ".GIT-like",
    ".git ",
    "Git~1/x",
    ":colon",
    "#hash",
    "!bang",
    "[set]",
    "*star",
    "x" * 200,
)
PATTERNS = (
    "new", "*.log", "*.txt", "/a", "d/", "d/*", "build/", "!keep.txt", "!x.log", "*", "!*/", "!d",
    "!/d/new.txt", "deep/**", "**/new.txt", "**/er/est.txt", "d/**/new*", "[nd]*", "[!a]ew",
    "[[:alpha:]]ew", "ne?", "\\new", "new ", "new\\ ", "#new", "\\#hash", "N*", "sub", "sub/",
    "nested/", "d/new.txt/", "**", "/", "", "a*/", "deep/er**",
)  # fmt: skip


class Step(msgspec.Struct, frozen=True):
    """A few commands, and the feature that they are an example of."""

    feature: str
    script: str


def _write(path: str, text: str) -> str:
    quoted = shlex.quote(path)
    into = f"mkdir -p {shlex.quote(os.path.dirname(path))}; " if "/" in path else ""  # noqa: PTH120
    return f"{into}printf %s {shlex.quote(text)} >{quoted}"


def _step(
    feature: str, *scripts: st.SearchStrategy[str] | str
) -> tuple[str, st.SearchStrategy[Step]]:
    """One of several ways to have a feature, by the feature's name."""
    ways = [st.just(way) if isinstance(way, str) else way for way in scripts]
    return feature, st.one_of(ways).map(lambda script: Step(feature, script))


def _with(form: str, *values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A command with drawn, quoted words in place of ``{}``."""
    return st.tuples(*values).map(lambda drawn: form.format(*map(shlex.quote, drawn)))


existing = st.sampled_from(EXISTING)
links = st.sampled_from(LINKS)
paths = st.sampled_from(EXISTING + NEW)
names = st.sampled_from(EXISTING + LINKS + NEW)
texts = st.sampled_from(
    ["one more\n", "ONE MORE\n", "two\n", "x\r\ny\r\n", "x\ny\n", "", "$Id: 1$\n"]
)
patterns = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=4).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)
ignore_files = st.sampled_from(
    [".gitignore", "d/.gitignore", "build/.gitignore", "deep/.gitignore"]
)
writes = st.builds(_write, paths, texts)
odd_writes = st.builds(_write, st.sampled_from(ODD), texts)
targets = st.sampled_from(["b.txt", "d", "nowhere", "/etc", "/a", "../out"])

RECHECKOUT = "; git ls-files -z '*.txt' run.sh | xargs -0 rm -f; git checkout -q -- ."

STEPS: dict[str, st.SearchStrategy[Step]] = dict((
    _step(
        "commits",
        "git commit -qam more", "git add -A; git commit -qm all",
        "git read-tree --empty; git commit -qm nothing",
        "t=$({ git ls-tree HEAD; printf '040000 tree %s\\tcc\\n' $(git mktree </dev/null); } | "
        "git mktree --missing); git update-ref HEAD $(git commit-tree -m hollow $t)",
    ),
    _step("branches", "git checkout -qb other", "git checkout -q side", "git reset -q --soft side"),
    _step("edits", writes, _with("printf x >>{}", existing)),
    _step("staged files", _with("git add -- {}", names), "git add -A", "git reset -q"),
    _step("deleted files", _with("rm -rf {}", names), _with("git rm -q --cached {}", existing)),
    _step("renamed files", _with("git mv {} renamed", names), _with("mv {} moved", names)),
    _step("untracked files", st.builds(_write, st.sampled_from(NEW), texts)),
    _step(
        "global ignore files",
        _with(
            "printf %s {} >../home/i; git config --global core.excludesFile {}",
            patterns,
            st.sampled_from(["~/i"]),
        ),
        _with("mkdir -p ../home/xdg/git; printf %s {} >../home/xdg/git/ignore", patterns),
    ),
    _step(
        "local ignore files",
        st.builds(_write, ignore_files, patterns),
        _with("printf %s {} >d/.gitignore; git add -f d/.gitignore", patterns),
        _with("mkdir -p .git/info; printf %s {} >>.git/info/exclude", patterns),
        _with("printf %s {} >../e; git config core.excludesFile \"$PWD/../e\"", patterns),
        "mv .gitignore ig; ln -s ig .gitignore",
        r"printf '\357\273\277new\n*.txt\r\n' >.gitignore",
        "git config core.ignoreCase true",
        "printf x >>t.log",
    ),
    _step(
        "CRLF",
        _with("git config core.autocrlf {}" + RECHECKOUT, st.sampled_from(["true", "input"])),
        _with("git config core.autocrlf {}", st.sampled_from(["true", "input", "false"])),
        _with("printf '%s\\n' {} >.gitattributes" + RECHECKOUT, st.sampled_from(
            ["* text=auto", "*.txt text eol=crlf", "*.txt eol=lf", "*.txt -text", "* text"])),
        _with("printf '%s\\n' {} >.gitattributes; git add -A; git commit -qm eol" + RECHECKOUT,
            st.sampled_from(["* text=auto", "*.txt text eol=crlf"])),
        "git config core.eol crlf; echo '* text=auto' >.git/info/attributes" + RECHECKOUT,
        "git add --renormalize .",
        _with("printf 'x\\r\\ny\\r\\n' >{}", existing),
    ),
    _step(
        "filters and ident",
        "git config filter.up.clean 'tr a-z A-Z'; git config filter.up.smudge 'tr A-Z a-z'; "
        "echo '*.txt filter=up' >.gitattributes; git add -A" + RECHECKOUT,
        "git config filter.up.clean 'tr a-z A-Z'; echo '*.txt filter=up' >.git/info/attributes",
        "echo 'id.txt ident' >.gitattributes" + RECHECKOUT,
        "echo '*.txt working-tree-encoding=UTF-16' >.gitattributes" + RECHECKOUT,
    ),
    _step(
        "file modes",
        _with("chmod +x {}", existing),
        _with("chmod -x {}", existing),
        _with("git config core.fileMode false; chmod +x {}", existing),
        "git config core.fileMode false",
        _with("git update-index --chmod=+x {}", existing),
        _with("chmod {} a run.sh", st.sampled_from(["600", "777", "4755", "010", "400"])),
        "git read-tree --empty; git ls-tree -r -z HEAD | sed -z 's/^100644/100664/' | "
        "git update-index -z --index-info; git commit -qm modes",
        "t=$(git ls-tree HEAD | sed 's/^100644/100664/' | git mktree); "
        "git update-ref HEAD $(git commit-tree -m odd $t)",
    ),
    _step(
        "symlinks",
        _with("ln -sfn {} {}", targets, names),
        _with("ln -sfn {} link; git add link; git commit -qm link", st.sampled_from(
            ["/etc/hostname", "/nowhere", ".//a", "d/"])),
        'ln -sfn "$PWD/a" link; git add link; git commit -qm link; touch -h link',
        "ln -sfn /etc link; touch -hd @1600000000 link; git add link; git commit -qm link",
        _with("git config core.symlinks false; rm {}; git checkout -q -- .", links),
        "git config core.symlinks false",
        _with("rm {}; printf a >link", links),
        "rm -rf d; ln -s .. d",
    ),
    _step(
        "submodules",
        "printf x >>sub/l",
        "printf x >sub/untracked",
        "git -C sub commit -q --allow-empty -m moved",
        "git -C sub commit -q --allow-empty -m moved; git add sub",
        "git submodule --quiet deinit -f sub",
        "git config --remove-section submodule.sub",
        "git config --remove-section submodule.sub; git -C sub commit -q --allow-empty -m moved",
        "rm -rf sub", "rm -rf sub; mkdir sub", "rm -rf sub; printf x >sub",
        "rm .gitmodules", "git rm -q --cached .gitmodules", "printf x >>.gitmodules",
        "git rm -q --cached sub", "git rm -qf sub",
        "rm -rf .git/modules/sub", "rm -rf .git/modules/sub sub",
        "git remote add origin ../x; rm -rf .git/modules/sub sub",
        "rm -rf sub .git/modules/sub; git clone -q ../lib sub",
        "git config submodule.sub.ignore all; git -C sub commit -q --allow-empty -m moved",
        "git config diff.ignoreSubmodules all; printf x >>sub/l",
        "git -C sub checkout -q --orphan unborn",
        "mv .gitmodules m; ln -s m .gitmodules",
        _with("printf '[submodule \"o\"]\\n\\tpath = %s\\n\\turl = x\\n' {} >>.gitmodules",
            st.sampled_from(["d", "a", "new", "nested", "d/../d", "empty"])),
        "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),gitlink",
        "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),gitlink; mkdir gitlink",
        "git clone -q ../lib inner; git add inner; git commit -qm inner",
    ),
    _step(
        "nested repositories",
        "git init -q nested",
        "git init -q nested; printf n >nested/n",
        "git clone -q ../lib nested",
        "git init -q nested; printf '*\\n' >nested/.gitignore; printf n >nested/n",
        "git init -q d/e/nested; printf n >d/e/nested/x.log",
        "git init -q d", "mkdir nested; echo 'gitdir: /nowhere' >nested/.git",
        "git init -q --bare nested",
        "git clone -q ../lib build; printf x >build/new",
    ),
    _step(
        "stale stat data",
        _with("touch {}", existing), "touch -h link", "touch -d @1600000000 a",
        "touch -d @1600000000 a; git update-index --refresh",
        existing.map(lambda f: f"touch -r {f} ../r; tr a-z A-Z <{f} >../u; cat ../u >{f}; "
                               f"touch -r ../r {f}"),
        "printf 'ONE MORE\\n' >a", "printf 'ONE MORE\\n' >a; git update-index --refresh",
        "git config core.checkStat minimal; git config core.trustctime false; touch -r a ../r; "
        "printf 'ONE MORE\\n' >a; touch -r ../r a",
        "cp -a a ../keep; printf 'ONE MORE\\n' >a; mv ../keep a",
        "touch .git/index", "touch -d @1500000000 .git/index", "git read-tree HEAD",
    ),
    _step(
        "index flags",
        _with("git update-index --assume-unchanged {}", existing),
        _with("git update-index --skip-worktree {}", existing),
        existing.map(lambda f: f"git update-index --assume-unchanged {f}; printf z >>{f}"),
        existing.map(lambda f: f"git update-index --skip-worktree {f}; printf z >>{f}"),
        existing.map(lambda f: f"git update-index --skip-worktree {f}; rm {f}"),
        "git update-index --skip-worktree d/c.yml d/e/f; printf n >d/n",
        "printf z >>a; git add a; git update-index --skip-worktree a",
        "printf n >new; git add -N new", "git add -N .",
    ),
    _step(
        "index formats",
        "git update-index --index-version 2", "git update-index --index-version 4",
        "git update-index --split-index", "git update-index --untracked-cache; git status",
        "git config index.skipHash true; git update-index --force-write-index",
        "printf junk >>.git/index", "printf junk >.git/index", ": >.git/index",
        "rm -f .git/index", "git read-tree --empty", "touch .git/index.lock",
    ),
    _step(
        "sparse checkouts",
        "git config core.sparseCheckout true; mkdir -p .git/info; "
        "printf '/*\\n!/d/\\n' >.git/info/sparse-checkout; git read-tree -mu HEAD",
        "git config core.sparseCheckout true; mkdir -p .git/info; "
        "printf 'a\\n' >.git/info/sparse-checkout; git read-tree -mu HEAD; mkdir d; printf n >d/n",
        "git sparse-checkout set d",
        "git sparse-checkout set --sparse-index d/e",
    ),
    _step(
        "worktrees",
        "git worktree add -q ../linked 2>&1; cd ../linked",
        "git worktree add -q --detach ../linked; cd ../linked; printf n >new",
    ),
    _step(
        "packed refs",
        "git pack-refs --all", "git gc -q",
    ),
    _step(
        "detached HEAD",
        "git checkout -q --detach", "git checkout -q HEAD~1",
        "git rev-parse HEAD >../h; cat ../h >.git/HEAD",
    ),
    _step(
        "linked HEAD",
        "rm .git/HEAD; ln -s refs/heads/main .git/HEAD",
        "git pack-refs --all; rm .git/HEAD; ln -s refs/heads/main .git/HEAD",
    ),
    _step(
        "empty repository",
        "git checkout -q --orphan fresh", "rm -rf .git; git init -q", "rm -rf .git",
        "git update-ref -d HEAD", "git pack-refs --all; rm .git/packed-refs",
        "git init -q ../bare --bare; cd ../bare",
        "git init -q ../empty; cd ../empty; git commit -q --allow-empty -m empty",
    ),
    _step(
        "shallow clones",
        'git clone -q --depth 1 "file://$PWD" ../shallow; cd ../shallow',
        'git clone -q --depth 1 "file://$PWD" ../shallow; cd ../shallow; printf n >new',
        # A real one fetches what it lacks, here from itself, for ever.
        "git config core.repositoryFormatVersion 1; git config extensions.partialClone origin",
    ),
    _step(
        "alternates",
        "git clone -q --shared . ../shared; cd ../shared",
        "git clone -q --shared . ../shared; cd ../shared; git repack -adq",
        "git clone -q --shared . ../shared; cd ../shared; git commit -q --allow-empty -m own",
    ),
    _step("empty folders", "mkdir -p empty/er d/empty", "rm -rf d; mkdir -p d/e", "rm a; mkdir a"),
    _step(
        "odd names",
        odd_writes,
        odd_writes.map(lambda write: f"{write}; git add -A; git commit -qm odd"),
        odd_writes.map(
            lambda write: f"{write}; git add -A; git commit -qm odd; "
            "git ls-files -z | xargs -0 touch"),
        "mkdir 'new\nline'; printf x >'new\nline/x'; git add -A; git commit -qm odd; "
        "git rm -rq 'new\nline'",
        "git config core.protectNTFS false; printf x >aux; mkdir con; printf x >con/x",
        "git config core.protectHFS true; printf x >aux",
        "printf x >$(printf 'caf\\351'); git add -A; git commit -qm latin",
    ),
    _step(
        "special files",
        "mkfifo fifo", "mkfifo build-fifo; printf '*fifo\\n' >>.gitignore", "rm p; mkfifo p",
        "mkfifo empty-fifo; git add -A",
    ),
    _step(
        "conflicts",
        "printf 'theirs\\n' >a; git commit -qam x; git checkout -q side; printf 'ours\\n' >a; "
        "git commit -qam y; git merge -q main",
        "git rm -q a; git commit -qm x; git checkout -q -B side main~1; printf 'ours\\n' >a; "
        "git commit -qam y; git merge -q main",
        "h=$(git rev-parse HEAD:b.txt); git rm -q --cached b.txt; "
        "printf '100644 %s 2\\tb.txt\\n' $h | git update-index --index-info",
    ),
    _step(
        "other formats",
        "git init -q --object-format=sha256 ../sha256; cd ../sha256; printf x >x; git add x; "
        "git commit -qm x",
        "git config core.repositoryFormatVersion 1; git config extensions.refStorage reftable",
        "git config core.repositoryFormatVersion 1; git config extensions.noop-v1 true",
        "git config extensions.worktreeConfig true", "git config extensions.noop true",
    ),
    _step(
        "settings",
        "git config status.showUntrackedFiles no",
        "git config core.worktree \"$PWD/d\"", "git config core.bare true",
        "git config branch.main.rebase merges", "git config pack.window many",
        "git config branch.main.merge refs/pull/1/head",
        "git config remote.o.fetch '^refs/heads/x'", "git config remote.o.fetch main",
        "git replace --graft HEAD", "git replace HEAD HEAD~1",
        "printf '[broken' >>.git/config",
    ),
    _step("other owners", "chown -Rh 12345 . 2>/dev/null", "chown 12345 . .git"),
))  # fmt: skip
