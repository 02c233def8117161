"""Restart files between steps: out of run directories, for as long as a state refers to them.

A state is a value that may be returned to, and a tape holds one of every step. So the files lie on disk, not
in memory, and go when the last state that names them does.
"""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tradewind.errors import DataError, ModelError
from tradewind.plugins.external.directory import filling, make_own, new_folder, written
from tradewind.plugins.external.options import AtStart, RestartFile

PREFIX = "tradewind-restart"


class Kept:
    """The restart files of one member at one time; they never change.

    Parameters
    ----------
    folder
        A folder that now belongs to this object, with the files under the names that the model reads.

    Attributes
    ----------
    names
        Names of the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        self.names = tuple(sorted(map(str, found)))
        # also at the end of the process
        self._end = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    @classmethod
    def of_template(cls, template: Path, files: Iterable[RestartFile], scratch: Path | None) -> Kept:
        """Take what a run begins with from the template."""
        sources = {f.file: template / f.file for f in files if f.at_start is AtStart.TEMPLATE}
        return cls._copied(sources, scratch)

    @classmethod
    def of_run(cls, run: Path, files: Iterable[RestartFile], scratch: Path | None) -> Kept:
        """Take what a model has written in its run directory.

        Raises
        ------
        ModelError
            When it has not written a file.
        """
        sources = {f.file: run / (f.output or f.file) for f in files}
        for path in sources.values():
            if not written(path):
                hint = "name what it writes as `output`, if that is another file"
                raise ModelError("ended without writing its restart file", where=path.name, hint=hint)
        return cls._copied(sources, scratch)

    @classmethod
    def of_bytes(cls, contents: Mapping[str, bytes], scratch: Path | None) -> Kept:
        """Take what `contents` gave."""
        with _folder(scratch) as folder:
            for name, content in contents.items():
                _place(folder, name).write_bytes(content)
        return cls(folder)

    @classmethod
    def _copied(cls, sources: Mapping[str, Path], scratch: Path | None) -> Kept:
        with _folder(scratch) as folder:
            for name, path in sources.items():
                shutil.copyfile(path, _place(folder, name))
        return cls(folder)

    def put(self, run: Path) -> None:
        """Copy the files into a run directory; copies, as a model may write to what it has read.

        Raises
        ------
        DataError
            When somebody has removed them, or the disk is full.
        """
        self._refuse_gone()
        with filling(run):
            for name in self.names:
                target = _place(run, name)
                make_own(target)
                shutil.copyfile(self.folder / name, target)

    def contents(self) -> dict[str, bytes]:
        """Return the files' bytes by name.

        Raises
        ------
        DataError
            When somebody has removed them.
        """
        self._refuse_gone()
        return {name: (self.folder / name).read_bytes() for name in self.names}

    def _refuse_gone(self) -> None:
        for path in (self.folder / name for name in self.names):
            if not path.is_file():
                hint = "name a folder as `scratch` that nobody clears"
                raise DataError("a restart file of an earlier step is gone", where=str(path), hint=hint)


@contextmanager
def _folder(scratch: Path | None) -> Iterator[Path]:
    """Give a new folder to fill, which goes when that fails."""
    folder = new_folder(scratch, PREFIX)
    with ExitStack() as failing:
        failing.callback(shutil.rmtree, folder, ignore_errors=True)
        with filling(folder):
            yield folder
        failing.pop_all()


def _place(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
