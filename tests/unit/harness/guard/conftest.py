from tests.unit.lab.remote.conftest import engine

__all__ = ["engine"]
