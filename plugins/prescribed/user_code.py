"""A function in a Python file: looked at without running it, loaded when it is called, told about by line."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from traceback import extract_tb
from types import TracebackType
from typing import Any

from tradewind.couplers.ranks.parallel import Communicator, Serial
from tradewind.errors import PluginError, TradewindError, did_you_mean
from tradewind.plugins.discovery import Source, read


class UserCode:
    """Context in which whatever the user's code raises becomes an error with file, function and line.

    Parameters
    ----------
    source
        The file.
    function
        Its name.
    """

    def __init__(self, source: Source, function: str) -> None:
        self.source, self.function = source, function

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception | SystemExit):
            raise self.error(error, trace) from error

    def error(self, error: BaseException, trace: TracebackType | None) -> PluginError:
        """Return the error that tells of `error`, with the last line of the user's that it came through."""
        lines = [entry.lineno for entry in extract_tb(trace) if entry.filename == str(self.source.file)]
        if isinstance(error, SyntaxError) and error.lineno is not None:
            lines = [error.lineno]
        where = f"{self.source.file}, function {self.function!r}"
        where += f", line {lines[-1]}" if lines else ""
        what = str(error) if isinstance(error, TradewindError) else f"{type(error).__name__}: {error}"
        return PluginError(what, where=where)


@dataclass(frozen=True)
class Signature:
    """What a function of the source takes, as far as that is told without running it.

    Attributes
    ----------
    names
        Of all its arguments; None where only running the file would tell.
    needed
        Of those without a default.
    """

    names: tuple[str, ...] | None = None
    needed: tuple[str, ...] = ()


class Function:
    """One function of a Python file.

    Parameters
    ----------
    file, name
        Where it stands, and its name there.
    known
        What it may ask for, by the names of its arguments.
    """

    def __init__(self, file: Path, name: str, known: Iterable[str]) -> None:
        self.file, self.name, self.known = file, name, tuple(known)
        self._comm: Communicator = Serial()

    def share(self, comm: Communicator) -> None:
        """Read the file on rank 0 only, for all; collective.

        Raises
        ------
        PluginError
            When it cannot be read.
        """
        self._comm = comm
        _ = self.source

    @cached_property
    def source(self) -> Source:
        """The file's text, with its hash."""
        try:
            return read((self.file,), self._comm)[0]
        except PluginError as error:
            what, hint = error.what.replace("the plugin file ", ""), "`file` is relative to the run config"
            raise PluginError(what, where=str(self.file), hint=hint) from error

    @property
    def where(self) -> str:
        """File and function, for errors."""
        return f"{self.file}, function {self.name!r}"

    # ------------------------------------------------------------------ without running it
    def check(self) -> None:
        """Read the file, and refuse it when the function is missing or asks for what there is not.

        Nothing of it is run.

        Raises
        ------
        PluginError
            When it cannot be read or compiled, or holds no such function.
        """
        if self.name not in self._named:
            hint = did_you_mean(self.name, self._named)
            raise PluginError(f"{self.file.name} defines no {self.name!r}", where=self.where, hint=hint)
        self._refuse_unknown(self._named[self.name].needed)

    @cached_property
    def _named(self) -> Mapping[str, Signature]:
        with UserCode(self.source, self.name):
            return dict(_definitions(ast.parse(self.source.text, str(self.source.file))))

    def _refuse_unknown(self, needed: tuple[str, ...]) -> None:
        for name in needed:
            if name not in self.known:
                hint = f"it may ask for {', '.join(self.known)}"
                raise PluginError(f"there is no {name!r} to be given", where=self.where, hint=hint)

    def may_ask_for(self, name: str) -> bool:
        """Return whether `name` may be among its arguments, as far as that is told without running it."""
        found = self._signature()
        return found.names is None or name in found.names

    def asks_for(self, name: str) -> bool:
        """Return whether `name` is surely among its arguments."""
        return name in (self._signature().names or ())

    def _signature(self) -> Signature:
        return self._named.get(self.name, Signature())

    # ------------------------------------------------------------------ running it
    @cached_property
    def _loaded(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        """Run the file; return the function and the names of its arguments."""
        from inspect import signature

        self.check()
        try:
            module = self.source.load()
        except PluginError as error:
            cause = error.__cause__ or error
            raise UserCode(self.source, self.name).error(cause, cause.__traceback__) from error
        function = getattr(module, self.name)
        if not callable(function):
            raise PluginError(f"is a {type(function).__name__}, no function", where=self.where)
        asked = signature(function).parameters
        self._refuse_unknown(tuple(k for k, v in asked.items() if v.default is v.empty))
        return function, tuple(name for name in asked if name in self.known)

    def __call__(self, given: Mapping[str, Any]) -> Any:
        """Call it with those of `given` that it asks for.

        Raises
        ------
        PluginError
            Whatever it raises, with file, function and line.
        """
        function, names = self._loaded
        with UserCode(self.source, self.name):
            return function(**{name: given[name] for name in names})


def _definitions(tree: ast.Module) -> Iterator[tuple[str, Signature]]:
    """Yield the names that a module binds at its top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            # a decorator may change what is asked for
            yield node.name, Signature() if node.decorator_list else _arguments(node.args)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name, Signature()) for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from ((t.id, Signature()) for t in node.targets if isinstance(t, ast.Name))


def _arguments(found: ast.arguments) -> Signature:
    plain = [a.arg for a in (*found.posonlyargs, *found.args)]
    needed = plain[: len(plain) - len(found.defaults)]
    needed += [
        a.arg for a, default in zip(found.kwonlyargs, found.kw_defaults, strict=True) if default is None
    ]
    return Signature((*plain, *(a.arg for a in found.kwonlyargs)), tuple(needed))
