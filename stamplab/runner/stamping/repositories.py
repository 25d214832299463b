"""Makes what the stamping experiments stand on: an upstream and mirrors, whole, behind, re-pointed.

They are made from any recipe's repository; it is read and never written.
"""

from __future__ import annotations

from pathlib import Path

from stamplab.harness.ci.naming import app_domain
from stamplab.lab.abra.app import AbraApp
from stamplab.lab.errors import UsageError
from stamplab.lab.recipe import checkout, git
from stamplab.lab.recipe.compose import DEFAULT_FILE
from stamplab.lab.recipe.env_file import Setting, parse_env, parse_settings
from stamplab.scenarios.stamping.experiment import CommitRole, StampingRepositories

_NOT_OURS = ("TYPE", "RECIPE", "DOMAIN", "COMPOSE_FILE")
_PR = "2"
_DATE = "1780272000 +0000"  # 2026-06-01: the same commit on every machine


def make_repositories(
    recipe: str, source: Path, base: str, head: str, scratch: Path
) -> StampingRepositories:
    """Make the ground below ``scratch`` from the repository at ``source``.

    ``base`` is a tag of it or a commit that has one, ``head`` any revision. Raises LabError where
    it has no such thing, and UsageError where the two are the same commit: no stamp could tell them
    apart.
    """
    base = _tag_of(source, base)
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
    another = _repoint(repointed, base, base_sha)
    text = checkout.read_env_sample(paths["upstream"])
    files = parse_env(text).get("COMPOSE_FILE") or DEFAULT_FILE
    return StampingRepositories(
        recipe=recipe,
        domain=app_domain(recipe, _PR, head_sha),
        **paths,
        mirror_behind=behind,
        mirror_repointed=repointed,
        base=base,
        head=head_sha,
        commits={
            CommitRole.HEAD: head_sha,
            CommitRole.BASE: base_sha,
            CommitRole.MIRRORS_TAG: another,
            CommitRole.MIRRORS_TIP: _before(source, head_sha, base_sha),
        },
        settings=tuple(line for line in text.splitlines() if _is_kept(line)),
        compose_files=files,
        asks_secrets=_asks_secrets(paths["upstream"], files),
    )


def _tag_of(source: Path, base: str) -> str:
    """Return the tag that is meant: by its own name, or by its commit. Raises UsageError."""
    tags = checkout.tags(source)
    if base in tags:
        return base
    for tag in tags:
        if checkout.resolve(source, f"refs/tags/{tag}^{{commit}}") == base:
            return tag
    raise UsageError(
        f"{base} is no tag of the recipe, nor has it one: abra deploys releases by tag"
    )


def _asks_secrets(tree: Path, files: str) -> bool:
    app = AbraApp(
        domain="example.org",
        recipe=tree.name,
        pinned_version=None,
        checkout=tree,
        settings=(Setting(name="COMPOSE_FILE", value=files),),
    )
    return bool(app.secrets())


def _is_kept(line: str) -> bool:
    """Whether a line of the sample sets something that is not ours to set."""
    return any(setting.name not in _NOT_OURS for setting in parse_settings(line))


def _copy(source: Path, target: Path, tip: str) -> None:
    """Copy a repository with all commits and tags, its one branch ``main`` at ``tip``."""
    repo = git.clone(source, target)
    with git.errors_as(f"{tip[:12]} cannot be checked out in {target}"):
        repo.git.checkout("--quiet", "--force", "-B", "main", tip)
        repo.git.fetch("--quiet", "--tags", str(source))


def _before(source: Path, head: str, base: str) -> str:
    """Return the head's parent; where there is none, the base."""
    repo = git.open_at(source)
    parents = repo.commit(head).parents
    return parents[0].hexsha if parents else base


def _repoint(repository: Path, tag: str, base: str) -> str:
    """Re-point a tag to a commit of its own, which has the base's files; return that commit."""
    repo = git.open_at(repository)
    dates = {"GIT_AUTHOR_DATE": _DATE, "GIT_COMMITTER_DATE": _DATE}
    failure = f"the tag {tag} cannot be re-pointed in {repository}"
    with git.errors_as(failure), repo.git.custom_environment(**dates):
        message = f"{tag} is re-pointed"
        commit = repo.git.commit_tree("-p", base, "-m", message, f"{base}^{{tree}}")
        repo.git.tag("--force", "--annotate", "--message", tag, tag, commit)
    return str(commit)
