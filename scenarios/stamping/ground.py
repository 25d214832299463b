"""Makes what the stamping experiments stand on: an upstream and mirrors, whole, behind, re-pointed.

They are made from any recipe's repository; it is read and never written.
"""

from __future__ import annotations

from pathlib import Path

from harness.naming import app_domain
from lab.abra.ensure import releases
from lab.abra.settings import parse_env, parse_settings
from lab.errors import LabError, UsageError
from lab.recipe import checkout, git
from lab.recipe.inside import require_inside
from scenarios.stamping.experiment import Ground, Whose

_NOT_OURS = ("TYPE", "RECIPE", "DOMAIN", "COMPOSE_FILE")
_PR = "2"


def make_ground(recipe: str, source: Path, base: str, head: str, scratch: Path) -> Ground:
    """Make the ground below ``scratch`` from the repository at ``source``.

    ``base`` is a tag of it, ``head`` any revision. Raises LabError where it has no such thing, and
    UsageError where the two are the same commit: no stamp could tell them apart.
    """
    head_sha = checkout.resolve(source, f"{head}^{{commit}}")
    base_sha = checkout.resolve(source, f"refs/tags/{base}^{{commit}}")
    if head_sha == base_sha:
        raise UsageError(f"base {base} and head {head} are the same commit {head_sha[:12]}")
    paths = {name: scratch / name for name in ("upstream", "canonical", "mirror")}
    for path in paths.values():
        _copy(source, path, head_sha)
    behind = scratch / "mirror-behind"
    _copy(source, behind, _before(source, head_sha, base_sha))
    repointed = scratch / "mirror-repointed"
    _copy(source, repointed, head_sha)
    another = _another(source, base, base_sha, head_sha)
    _repoint(repointed, base, another)
    sample = paths["upstream"] / ".env.sample"
    require_inside(paths["upstream"], sample)
    text = sample.read_text() if sample.is_file() else ""
    return Ground(
        recipe=recipe,
        domain=app_domain(recipe, _PR, head_sha),
        **paths,
        mirror_behind=behind,
        mirror_repointed=repointed,
        branch="main",
        base=base,
        head=head_sha,
        commits={
            Whose.HEAD: head_sha,
            Whose.BASE: base_sha,
            Whose.MIRRORS_TAG: another,
            Whose.MIRRORS_TIP: _before(source, head_sha, base_sha),
        },
        settings=tuple(line for line in text.splitlines() if _is_kept(line)),
        compose_files=parse_env(text).get("COMPOSE_FILE", "compose.yml"),
    )


def _is_kept(line: str) -> bool:
    """Whether a line of the sample sets something that is not ours to set."""
    return any(one.name not in _NOT_OURS for one in parse_settings(line))


def _copy(source: Path, target: Path, tip: str) -> None:
    """A repository with all commits and tags of another, its one branch ``main`` at ``tip``."""
    repo = git.clone(source, target)
    with git.told(f"{tip[:12]} cannot be checked out in {target}"):
        repo.git.checkout("--quiet", "--force", "-B", "main", tip)
        repo.git.fetch("--quiet", "--tags", str(source))


def _before(source: Path, head: str, base: str) -> str:
    """The head's parent; where that is the base or nothing, there is no other way: the base."""
    repo = git.open_at(source)
    parents = repo.commit(head).parents
    return parents[0].hexsha if parents else base


def _another(source: Path, base: str, *known: str) -> str:
    """A commit besides base and head for a tag to be re-pointed to: an older release's, or any."""
    for name in reversed(releases(source)):
        sha = checkout.resolve(source, f"refs/tags/{name}^{{commit}}")
        if name != base and sha not in known:
            return sha
    repo = git.open_at(source)
    with git.told(f"the commits of {source} cannot be read"):
        commits = str(repo.git.rev_list(known[-1])).split()
    for sha in commits:
        if sha not in known:
            return sha
    raise LabError(f"{source} has no commit besides base and head for {base} to be re-pointed to")


def _repoint(repository: Path, tag: str, commit: str) -> None:
    repo = git.open_at(repository)
    with git.told(f"the tag {tag} cannot be re-pointed in {repository}"):
        repo.git.tag("--force", "--annotate", "--message", tag, tag, commit)
