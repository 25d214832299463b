"""What the test driver of NixOS 25.11 puts into the name space of a test's script.

Only what nix/vm_test.py uses (nixos/lib/test-driver/src/test_driver/machine/__init__.py).
"""

from contextlib import AbstractContextManager

class Machine:
    def wait_for_unit(self, unit: str, user: str | None = ..., timeout: int = ...) -> None: ...
    def succeed(self, *commands: str, timeout: int | None = ...) -> str: ...
    def fail(self, *commands: str, timeout: int | None = ...) -> str: ...
    def execute(
        self,
        command: str,
        check_return: bool = ...,
        check_output: bool = ...,
        timeout: int | None = ...,
    ) -> tuple[int, str]: ...
    def log(self, msg: str) -> None: ...

machine: Machine

def subtest(name: str) -> AbstractContextManager[None]: ...
