"""The version of what a run writes down: its history and its JSON documents.

Schema 1 says no version. From schema 2 on a document has the key ``schema``, and a history a first
line that has nothing else.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from stamplab.lab.errors import LabError

SCHEMA = 2
"""What this program writes; it reads this and all before."""
KEY = "schema"

T = TypeVar("T")


class NewerSchema(LabError):
    """Evidence was written by a newer program, whose words may mean something else."""


class _Versioned(msgspec.Struct, frozen=True):
    schema: int = 1


def require_known(schema: int, where: object) -> None:
    """Raise NewerSchema, with both versions, for a schema that this program does not know."""
    if schema > SCHEMA:
        raise NewerSchema(
            f"{where} was written by schema {schema}, this stamplab reads up to {SCHEMA}: "
            "read it with the version that wrote it, or a newer one"
        )


def schema_of(raw: bytes, where: object) -> int:
    """Read which schema a document says; ``where`` is its place, for a person.

    Raises NewerSchema, or msgspec.MsgspecError where it is no document.
    """
    schema = msgspec.json.decode(raw, type=_Versioned).schema
    require_known(schema, where)
    return schema


def decode_document(raw: bytes, kind: type[T], where: object) -> T:
    """Read a document of any known schema whose keys are the same in all of them.

    Raises as `schema_of` does.
    """
    schema_of(raw, where)
    return msgspec.json.decode(raw, type=kind)


def encode_document(value: object) -> bytes:
    """Write a value as readable JSON that says its schema first."""
    content: dict[str, object] = msgspec.to_builtins(value, str_keys=True)
    return msgspec.json.format(msgspec.json.encode({KEY: SCHEMA, **content})) + b"\n"
