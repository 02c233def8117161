"""Run directories: made from a template, one for every attempt, and removed or kept."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tradewind.errors import DataError, TradewindError
from tradewind.plugins.external.options import Keep
from tradewind.plugins.external.placeholders import Values, render_file

UNTOUCHED = 0
"""Time of modification, in ns since 1970, of what only the model may write: any other is the model's."""


@contextmanager
def run_directory(
    scratch: Path | None, prefix: str, keep: Keep, again: tuple[type[TradewindError], ...] = ()
) -> Iterator[Path]:
    """Give a new, empty run directory and remove it afterwards, or keep it as `keep` says.

    Parameters
    ----------
    scratch
        Folder in which it is made; None: the system's for temporary files.
    prefix
        Beginning of its name.
    again
        Errors after which another attempt is made: it is not kept for these, unless all are.

    Raises
    ------
    DataError
        When it cannot be made.
    TradewindError
        Those of the body, which name the directory where it is kept.
    """
    path = new_folder(scratch, prefix)
    stays = keep is Keep.ALWAYS
    try:
        yield path
    except TradewindError as error:
        stays = keep is Keep.ALWAYS or (keep is Keep.FAILED and not isinstance(error, again))
        if stays:
            kept = f"its run directory is kept: {path}"
            raise said_again(error, hint=f"{error.hint}; {kept}" if error.hint else kept) from error
        raise
    finally:
        if not stays:
            shutil.rmtree(path, ignore_errors=True)


def new_folder(scratch: Path | None, prefix: str) -> Path:
    """Make and return a folder with a name of its own.

    Raises
    ------
    DataError
        When it cannot be made.
    """
    with filling(scratch or Path(tempfile.gettempdir())):
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=scratch)).resolve()


@contextmanager
def filling(folder: Path) -> Iterator[None]:
    """Turn what the system says while a folder is filled into an error of ours."""
    try:
        yield
    except TradewindError:
        raise
    # the netCDF library reports a full disk as a RuntimeError
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "free space, or name another folder as `scratch`"
        raise DataError(f"cannot be written: {reason}", where=str(folder), hint=hint) from error


def copy_template(template: Path, run: Path) -> None:
    """Copy the files of `template`; links become links to the same file, so large data are not copied.

    Raises
    ------
    DataError
        When there is no template, it holds a link to nothing, or the disk is full.
    """
    refuse_missing(template)
    try:
        shutil.copytree(template, run, symlinks=True, dirs_exist_ok=True)
    except shutil.Error as error:
        _, target, reason = error.args[0][0]
        hint = "free space, or name another folder as `scratch`"
        raise DataError(f"the template cannot be copied: {reason}", where=str(target), hint=hint) from error
    except OSError as error:
        with filling(run):
            raise error from None
    for path in [run, *run.rglob("*")]:
        if path.is_symlink():
            _relink(path, template / path.relative_to(run))
        else:
            _make_writable(path)


def refuse_missing(template: Path) -> None:
    """Refuse a template that is no folder."""
    if not template.is_dir():
        hint = "make the folder with everything that the model needs to run"
        raise DataError("there is no such template", where=str(template), hint=hint)


def _make_writable(path: Path) -> None:
    """Let the owner write to what a template protects: this is a copy."""
    path.chmod(path.stat().st_mode | (0o700 if path.is_dir() else 0o200))


def _relink(link: Path, original: Path) -> None:
    if not original.exists():
        hint = "mend or remove it"
        raise DataError("the template holds a link to nothing", where=str(original), hint=hint)
    link.unlink()
    link.symlink_to(original.resolve())


def rendered_files(template: Path, patterns: Iterable[str]) -> tuple[str, ...]:
    """Return the files of a template that patterns name.

    Raises
    ------
    DataError
        When a pattern names none.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        named = sorted(path for path in template.glob(pattern) if path.is_file())
        if not named:
            raise DataError(f"no file is called {pattern!r}", where=str(template), hint="mend `rendered`")
        found |= dict.fromkeys(str(path.relative_to(template)) for path in named)
    return tuple(found)


def render_files(run: Path, files: Iterable[str], values: Values) -> None:
    """Replace the placeholders in files of a run directory."""
    for path in (run / name for name in files):
        with filling(path):
            make_own(path)
            render_file(path, values)


def make_own(path: Path) -> None:
    """Make a link a file of the run directory's own, so that what it led to is not written to."""
    if path.is_symlink():
        original = path.resolve()
        path.unlink()
        shutil.copy2(original, path)
        _make_writable(path)


def mark(run: Path, outputs: Iterable[str]) -> None:
    """Mark the outputs that are there already, so that what the model has not written is told apart."""
    for path in (run / name for name in outputs):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            make_own(path)
            os.utime(path, ns=(UNTOUCHED, UNTOUCHED))


def written(path: Path) -> bool:
    """Return whether the model has written a file that was marked, or not there."""
    return path.is_file() and path.stat().st_mtime_ns != UNTOUCHED


def said_again(error: TradewindError, where: str = "", hint: str = "") -> TradewindError:
    """Return the same error with more to say: `where` before its own place, `hint` in place of its own."""
    place = ", ".join(filter(None, (where, error.where)))
    return type(error)(error.what, where=place, hint=hint or error.hint)
