"""What can go wrong with the apparatus, said for a person.

An error of the lab is one sentence (what happened, why probably, what to do) and an exit code. It
is never a verdict about a deployment: a lab that fails knows nothing about the upgrade, so the
verdict is *unknown*.
"""


class LabError(Exception):
    """The apparatus failed: nothing is known about the upgrade. Exit code 2 (unknown)."""

    exit_code = 2


class NotPossibleHere(LabError):
    """The machine cannot run the experiment (not root, no engine, no memory controller).

    Exit code 77.
    """

    exit_code = 77


class NeedsRoot(NotPossibleHere):
    """Only root can do this here; the same command, repeated as root, may go on."""


class TakeDownFailed(LabError):
    """Something of a lab resists its removal; its lease stays, for ``doctor --reap``."""


class UsageError(LabError):
    """What was asked for makes no sense, whatever the machine. Exit code 64."""

    exit_code = 64


class RecipeRefused(LabError):
    """A recipe asks for more than an ordinary container gets, and nobody has allowed it.

    Exit code 64: the same command is refused on every machine, and another command line
    (``--trust``) is the way on. Not 1, for it is no verdict on an upgrade; not 2, for nothing is
    broken; not 77, which a CI takes for "skipped": a hostile recipe must not pass for that.
    """

    exit_code = 64
