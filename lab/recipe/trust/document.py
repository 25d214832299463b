"""A compose file, read so that another YAML reader finds no value that was not judged.

The docker client reads YAML by another library. So every value that might win is judged: a merged
value (``<<``) as well as the value that overrides it. Scalars stay texts, whatever type a reader
would give them. Syntax that YAML readers differ about cannot be judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import yaml

from stamplab.lab.recipe.trust.demand import Demand, Grant, printable
from stamplab.lab.recipe.trust.template import InvalidTemplate, substitute
from stamplab.lab.recipe.yaml_text import yaml_graph

_MERGE = "<<"
_NULLS = {"", "~", "null", "Null", "NULL"}
_CORE_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge", "value")
}
_ODD_CHARACTERS = re.compile("[\x85\u2028\u2029]|(?<!^)\ufeff", re.DOTALL)
_KEY_OR_TEXT = re.compile(r":[][{},]")
_NODES_MAX = 100_000
_DEPTH_MAX = 60


class NotUnderstood(Exception):
    """A value cannot be judged, so nothing can allow it."""

    def __init__(self, demand: Demand) -> None:
        super().__init__(demand.reason)
        self.demand = demand


class ComposeValue:
    """A value of a compose file, with its place in the file."""

    def __init__(
        self, node: yaml.Node, file: str, place: str, variables: Mapping[str, str]
    ) -> None:
        self._node = node
        self._file = file
        self.place = place
        self._variables = variables

    @property
    def is_null(self) -> bool:
        """Whether the key has no value."""
        node = self._node
        is_null = isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")
        return is_null and node.value in _NULLS

    @property
    def is_mapping(self) -> bool:
        """Whether the value is a mapping."""
        return isinstance(self._node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether the value is a list."""
        return isinstance(self._node, yaml.SequenceNode)

    def text(self) -> str:
        """Return the scalar's text after interpolation; "" for null. Raises NotUnderstood."""
        if not isinstance(self._node, yaml.ScalarNode):
            raise self.cannot_judge("is a list or a mapping where a text is expected")
        if self.is_null:
            return ""
        try:
            text = substitute(self._node.value, self._variables)
        except InvalidTemplate as error:
            raise self.cannot_judge(f"cannot be interpolated: {error}") from error
        if "\0" in text:
            raise self.cannot_judge("holds a NUL character")
        return text

    def fields(self) -> Iterator[tuple[str, ComposeValue]]:
        """Yield keys and values, merged ones (``<<``) too: a key may come more than once.

        Raises NotUnderstood for anything but a mapping or null.
        """
        if self.is_null:
            return
        if not isinstance(self._node, yaml.MappingNode):
            raise self.cannot_judge("is no mapping")
        for key, value in self._node.value:
            if key.value == _MERGE:
                yield from self._merged(value)
            else:
                name = key.value
                yield name, self._child(value, f"{self.place}.{name}" if self.place else name)

    def _merged(self, source: yaml.Node) -> Iterator[tuple[str, ComposeValue]]:
        sources = source.value if isinstance(source, yaml.SequenceNode) else [source]
        for mapping in sources:
            yield from self._child(mapping, self.place).fields()

    def items(self) -> Iterator[ComposeValue]:
        """Yield the list's items. Raises NotUnderstood for anything but a list or null."""
        if self.is_null:
            return
        if not isinstance(self._node, yaml.SequenceNode):
            raise self.cannot_judge("is no list")
        for number, node in enumerate(self._node.value):
            yield self._child(node, f"{self.place}[{number}]")

    def children(self) -> Iterator[ComposeValue]:
        """Yield a list's items, a mapping's values, or the scalar itself."""
        if self.is_list:
            yield from self.items()
        elif self.is_mapping:
            yield from (value for _, value in self.fields())
        elif not self.is_null:
            yield self

    def demand(self, grant: Grant | None, reason: str) -> Demand:
        """Return the demand that this value makes."""
        value = printable(self._shown(self._node))
        place = printable(self.place)
        return Demand(file=self._file, place=place, value=value, reason=reason, grant=grant)

    def cannot_judge(self, reason: str) -> NotUnderstood:
        """Return the error for a value that cannot be judged."""
        return NotUnderstood(self.demand(None, reason))

    def _child(self, node: yaml.Node, place: str) -> ComposeValue:
        return ComposeValue(node, self._file, place, self._variables)

    def _shown(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.SequenceNode):
            return f"[{', '.join(map(self._shown, node.value))}]"
        if isinstance(node, yaml.MappingNode):
            pairs = (f"{key.value}: {self._shown(value)}" for key, value in node.value)
            return f"{{{', '.join(pairs)}}}"
        try:
            return substitute(node.value, self._variables)
        except InvalidTemplate:
            return str(node.value)


def read_document(data: bytes, file: str, variables: Mapping[str, str]) -> ComposeValue:
    """Read a compose file's bytes. Raises NotUnderstood, whose message quotes at most a key."""
    empty = ComposeValue(
        yaml.ScalarNode("tag:yaml.org,2002:null", ""), file, "the whole file", variables
    )
    try:
        text = data.decode()
        if _ODD_CHARACTERS.search(text):
            raise empty.cannot_judge("holds a line break that not all YAML readers know as one")
        node = yaml_graph(text)
        if not isinstance(node, yaml.MappingNode):
            raise empty.cannot_judge("is no mapping")
        _GraphCheck(empty, text).check(node)
    except UnicodeDecodeError as error:
        raise empty.cannot_judge("is not UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise empty.cannot_judge(f"is no YAML ({line}{_yaml_problem(error)})") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise empty.cannot_judge(f"is no YAML ({type(error).__name__})") from error
    return ComposeValue(node, file, "", variables)


def _yaml_problem(error: yaml.MarkedYAMLError) -> str:
    """Return PyYAML's message without the names that it quotes from the file."""
    return re.sub(r"'.*'", "…", error.problem or "it does not say why")


class _GraphCheck:
    """Walks a file's whole graph once, and refuses loops, excessive sizes and ambiguous syntax."""

    def __init__(self, whole: ComposeValue, text: str) -> None:
        self._whole = whole
        self._text = text
        self._sizes: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()

    def check(self, node: yaml.Node) -> tuple[int, int]:
        """Return a node's number of values and depth, aliases expanded. Raises NotUnderstood."""
        if id(node) in self._sizes:
            return self._sizes[id(node)]
        if id(node) in self._open:
            raise self._whole.cannot_judge("holds an alias that contains itself")
        if node.tag not in _CORE_TAGS:
            raise self._whole.cannot_judge(f"holds the tag {printable(node.tag)}")
        self._open.add(id(node))
        children = list(node.value) if isinstance(node, yaml.SequenceNode) else []
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
            children = [value for _, value in node.value]
        below = [self.check(child) for child in children]
        size, depth = 1 + sum(size for size, _ in below), 1 + max((d for _, d in below), default=0)
        if size > _NODES_MAX or depth > _DEPTH_MAX:
            raise self._whole.cannot_judge(
                f"has more than {_NODES_MAX} values, or is deeper than {_DEPTH_MAX}"
            )
        self._open.remove(id(node))
        self._sizes[id(node)] = size, depth
        return size, depth

    def _check_keys(self, node: yaml.MappingNode) -> None:
        names: set[str] = set()
        for key, value in node.value:
            line = f"line {key.start_mark.line + 1}"
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _CORE_TAGS:
                raise self._whole.cannot_judge(f"has a key that is no text ({line})")
            if key.value in names:
                name = printable(key.value)
                raise self._whole.cannot_judge(f"has the key {name} twice in one place ({line})")
            if key.tag.endswith(":merge") != (key.value == _MERGE) or (
                key.value == _MERGE and not _can_merge(value)
            ):
                raise self._whole.cannot_judge(f"has a merge that is none ({line})")
            # To Go's reader, [x:] is a list with the text "x:".
            if _KEY_OR_TEXT.match(self._text, key.end_mark.index):
                raise self._whole.cannot_judge(f"has a key that may be a text ({line})")
            names.add(key.value)


def _can_merge(value: yaml.Node) -> bool:
    sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
    return all(isinstance(source, yaml.MappingNode) for source in sources)
