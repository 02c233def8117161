"""Reading YAML 1.2, and remembering on which line each setting stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from tradewind.errors import ConfigError

Key: TypeAlias = "str | int"
HINT = "see `tradewind check --help` and the examples"


class _Constructor(SafeConstructor):
    """Values of YAML 1.2's core schema: dates and ``=`` are text, and nothing builds an object."""


for _tag in ("timestamp", "value"):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_tag}", SafeConstructor.construct_yaml_str)


def parse_yaml(text: str) -> Any:
    """Return `text` as plain values.

    Raises
    ------
    YAMLError, ValueError, RecursionError
        When it is not YAML.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    return yaml.load(text)


@dataclass(frozen=True)
class ConfigSource:
    """Where the settings of a run config stand.

    Attributes
    ----------
    file
        The file as the user named it.
    node
        Root of the YAML node tree; None when there is no file.
    overrides
        By path of keys, the command-line overrides as typed.
    """

    file: Path = Path("run config")
    node: Node | None = None
    overrides: Mapping[tuple[Key, ...], str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder that relative paths start from."""
        return self.file.parent

    def line_of(self, *keys: Key) -> int:
        """Return the line of a setting, from 1; of the nearest enclosing one where it is absent."""
        line, node = 1, self.node
        for key in keys:
            found = _child(node, key)
            if found is None:
                break
            line, node = found
        return line

    def is_list(self, *keys: Key) -> bool:
        """Return whether a setting is written as a list."""
        node = self.node
        for key in keys:
            node = (_child(node, key) or (0, None))[1]
        return isinstance(node, SequenceNode)

    def entry(self, section: str, number: int) -> tuple[Key, ...]:
        """Return the path of an entry of a section that may hold one mapping alone, or a list of them."""
        found = _child(self.node, section)
        alone = found is not None and isinstance(found[1], MappingNode)
        if (section,) in self.overrides:
            alone = not self.overrides[section,].partition("=")[2].lstrip().startswith("[")
        return (section,) if alone else (section, number)

    def where(self, *keys: Key) -> str:
        """Return the place of a setting as ``file:line``, or the override that set it.

        Examples
        --------
        ``source.where("exchanges", 0, "to")`` is ``"permian.yaml:9"``.
        """
        for path, text in self.overrides.items():
            if keys[: len(path)] == path:
                return f"--set {text}"
        return f"{self.file}:{self.line_of(*keys)}" if self.node is not None else str(self.file)


def _child(node: Node | None, key: Key) -> tuple[int, Node] | None:
    """Return line and value of one entry of a mapping or sequence node."""
    if isinstance(node, MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return name.start_mark.line + 1, value
    if isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
        item = node.value[key]
        return item.start_mark.line + 1, item
    return None


def read_text(file: Path) -> str:
    """Return the text of a run config.

    Raises
    ------
    ConfigError
        When it cannot be read, or is not text.
    """
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"the run config cannot be read: {reason}", where=str(file)) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError("this is not a text file in UTF-8", where=f"{file}:{line}") from error


def parse(text: str, file: Path) -> tuple[dict[str, Any], ConfigSource]:
    """Return the settings in `text` as plain values, and where they stand.

    Raises
    ------
    ConfigError
        When it is not YAML, holds a key twice, is empty or not a mapping.
    """
    try:
        data = parse_yaml(text)
        node = YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise _syntax_error(error, file) from error
    if not isinstance(data, dict):
        what = (
            "the run config is empty"
            if data is None
            else f"a run config maps keys to values, not {data!r:.40}"
        )
        raise ConfigError(what, where=f"{file}:1", hint="it begins with, say, `run:`")
    if text.startswith("%YAML 1.1"):
        raise ConfigError("YAML 1.1 reads `NO` as false", where=f"{file}:1", hint="remove the directive")
    return data, ConfigSource(file, node)


def _syntax_error(error: Exception, file: Path) -> ConfigError:
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        reason = "it nests too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        return ConfigError(f"this is not YAML: {reason}", where=str(file))
    line = error.problem_mark.line + 1
    reason = ", ".join(str(part) for part in (error.context, error.problem) if part)
    return ConfigError(f"this is not YAML: {reason}", where=f"{file}:{line}")
