from tests.unit.foreign.conftest import engine

__all__ = ["engine"]
