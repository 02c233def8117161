"""Placeholders such as ``{start}`` in the model's text files and arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from tradewind.errors import ConfigError, DataError, did_you_mean

Values: TypeAlias = Mapping[str, object]
PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}|\{([A-Za-z_]\w*)(?::([^{}]*))?\}")
NAMES = ("start", "stop", "seconds", "member", "mode")
"""Dates, which take formats of strftime; length of the step; number of the member, from 0; why it runs."""


def render(text: str, values: Values, where: str) -> str:
    """Return `text` with its placeholders replaced; ``{{start}}`` stands for ``{start}`` itself.

    A placeholder may have a format, ``{start:%Y%m%d}`` or ``{member:03d}``; dates without are ISO 8601.
    Braces around anything but a name are left alone.

    Parameters
    ----------
    where
        File or argument that the text is of, for errors.

    Raises
    ------
    ConfigError
        On a placeholder that is unknown, or a format that does not fit it.
    """
    return PLACEHOLDER.sub(lambda match: _replaced(match, values, where), text)


def text_of(path: Path) -> str:
    """Return the text of a file, its line ends as they are.

    Raises
    ------
    DataError
        When it is no text.
    """
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        hint = "list only text files under rendered"
        raise DataError("is no text in UTF-8", where=path.name, hint=hint) from error


def render_file(path: Path, values: Values) -> None:
    """Replace the placeholders of a text file.

    Raises
    ------
    ConfigError
        As `render` does.
    DataError
        When it is no text.
    """
    path.write_bytes(render(text_of(path), values, path.name).encode())


def _replaced(match: re.Match[str], values: Values, where: str) -> str:
    literal, name, form = match.groups()
    if literal is not None:
        return f"{{{literal}}}"
    if name not in values:
        hint = f"{did_you_mean(name, values)}; double the braces where they are meant"
        raise ConfigError(f"unknown placeholder {match[0]}", where=where, hint=hint)
    value = values[name]
    try:
        return _plain(value) if form is None else format(value, form)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"placeholder {match[0]} cannot be formatted: {error}", where=where) from error


def _plain(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else format(value, "")
