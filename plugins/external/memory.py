"""Restart files between steps: out of run directories, for as long as a state refers to them.

A state is a value that may be returned to, and a tape holds one of every step. So the files lie on disk, not
in memory, and go when the last state that names them does.
"""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path

from tradewind.errors import ModelError
from tradewind.plugins.external.directory import filling, make_own, new_folder, written
from tradewind.plugins.external.options import AtStart, RestartFile

PREFIX = "tradewind-restart"


class Kept:
    """The restart files of one member at one time; they never change.

    Parameters
    ----------
    folder
        A folder that now belongs to this object, with the files under the names that the model reads.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
        kept = cls(new_folder(scratch, PREFIX))
        for name, content in contents.items():
            with filling(kept.folder):
                _place(kept.folder, name).write_bytes(content)
        return kept

    @classmethod
    def _copied(cls, sources: Mapping[str, Path], scratch: Path | None) -> Kept:
        kept = cls(new_folder(scratch, PREFIX))
        with filling(kept.folder):
            for name, path in sources.items():
                shutil.copyfile(path, _place(kept.folder, name))
        return kept

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files, as the model reads them."""
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
        return tuple(sorted(map(str, found)))

    def put(self, run: Path) -> None:
        """Copy the files into a run directory; copies, as a model may write to what it has read."""
        with filling(run):
            for name in self.names:
                target = _place(run, name)
                make_own(target)
                shutil.copyfile(self.folder / name, target)

    def contents(self) -> dict[str, bytes]:
        """Return the files' bytes by name."""
        return {name: (self.folder / name).read_bytes() for name in self.names}


def _place(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
