"""What go-git says of a repository: its HEAD, and whether its work tree is clean.

abra reads recipes by go-git, and go-git and git differ (docs/abra.md, "How go-git reads a
repository"). Git's verdict cannot be corrected afterwards: the same tree may hold one change that
only git sees and another that only go-git sees. So the tree is read once more, by go-git's rules,
which are those of v5.19.3; `tests/property/test_stamp.py` holds this against go-git itself.
Nothing here writes, takes a lock or runs a program of the repository's.
"""

from stamplab.lab.abra.gogit.reading import Reading, read

__all__ = ["Reading", "read"]
