"""Restart files of forward runs: one for each window, whole or not there at all.

A file holds the moment of the coupled run and all that its window has given so far, so the two cannot
disagree, whenever the run was killed. Files belong to windows, not to ranks: any number of ranks goes on.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from glob import escape
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from torch import Tensor

from tradewind.assembly.outputs import restart_alarm
from tradewind.couplers.ranks.parallel import agree
from tradewind.errors import ConfigError, DataError
from tradewind.output.files import replacing
from tradewind.simulation.record import Record, packed, unpacked
from tradewind.simulation.signature import differing, of_window, signature

if TYPE_CHECKING:
    from tradewind.assembly import Assembly
    from tradewind.coupled.run import CoupledRun
    from tradewind.couplers.coupling.component import Interval
    from tradewind.couplers.coupling.time.alarms import Alarm
    from tradewind.couplers.coupling.time.calendars import Time

FORMAT = 1
ENTRY = "tradewind-forward-run"
MOMENT = "moment"
ASIDE = ".aside-"
WINDOW = "????????T??????"
"""When a window starts, in the names of files."""
ANEW = "run without --resume to begin anew"


class Begin(StrEnum):
    """Where a forward run begins."""

    ANEW = "anew"
    """At the start of every window; restart files of an earlier run are removed."""
    RESUME = "resume"
    """Where its restart files stand."""


@dataclass
class Kept:
    """A window's file, read.

    Attributes
    ----------
    moment
        The run's moment as `CoupledRun.save` wrote it; empty where the window is finished.
    """

    record: Record
    moment: bytes = b""


class NoRestarts:
    """Keeps nothing."""

    def found(self, window: Interval) -> Kept | None:
        """Return None."""

    def restore(self, run: CoupledRun, kept: Kept) -> None:
        """Do nothing."""

    def due(self, before: Time, now: Time) -> bool:
        """Return False."""
        return False

    def save(self, window: Interval, record: Record, run: CoupledRun | None = None) -> None:
        """Do nothing."""


@dataclass
class Restarts(NoRestarts):
    """The restart files of a run.

    Attributes
    ----------
    name
        Of the run; names of files begin with it.
    since
        Start of the run, from which times are counted.
    signature
        What must be the same when a run goes on.
    rhythm
        When files are written.
    """

    folder: Path
    name: str
    since: Time
    signature: Mapping[str, str]
    rhythm: Alarm
    kept: dict[Interval, Kept] = field(default_factory=dict)

    def path(self, window: Interval) -> Path:
        """Return where a window is kept."""
        return self.folder / f"{self.name}.{window.start:%Y%m%dT%H%M%S}.restart"

    def prepare(self, begin: Begin) -> None:
        """Make the folder, and remove what an earlier run has left unfinished or, beginning anew, all of it.

        Raises
        ------
        DataError
            When the folder cannot be used.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for aside in self.folder.glob(f".{escape(self.name)}{ASIDE}*"):
                shutil.rmtree(aside)
            whole = f"{escape(self.name)}.{WINDOW}.restart"
            for old in self.folder.glob(f".{whole}.*.part"):
                old.unlink()
            for old in self.folder.glob(whole) if begin is Begin.ANEW else ():
                old.unlink()
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataError(f"cannot keep restart files: {reason}", where=str(self.folder)) from error

    def load(self, window: Interval) -> None:
        """Read the file of a window, where there is one.

        Raises
        ------
        DataError
            When it is damaged, or of another config.
        """
        path = self.path(window)
        if path.exists():
            header, tensors = _read(path)
            _refuse_other(header["signature"], of_window(self.signature, window), path)
            moment = bytes(tensors.pop(MOMENT).numpy()) if MOMENT in tensors else b""
            self.kept[window] = Kept(unpacked(tensors, header, self.since), moment)

    def found(self, window: Interval) -> Kept | None:
        """Return what is kept of a window, None where nothing is."""
        return self.kept.get(window)

    def restore(self, run: CoupledRun, kept: Kept) -> None:
        """Bring a run to the moment that was kept."""
        with self._aside() as path:
            path.write_bytes(kept.moment)
            run.restore(path)

    def due(self, before: Time, now: Time) -> bool:
        """Return whether a file is due at `now`, when the step before ended at `before`."""
        ring = self.rhythm.after(before)
        return ring is not None and ring <= now

    def save(self, window: Interval, record: Record, run: CoupledRun | None = None) -> None:
        """Keep a window, with the moment of its run unless it is finished.

        Raises
        ------
        DataError
            When the file cannot be written; the one before is then as it was.
        """
        tensors, plain = packed(record, self.since)
        if run is not None:
            tensors[MOMENT] = self._moment(run)
        header = {"format": FORMAT, "signature": of_window(self.signature, window), **plain}
        header["digest"] = _digest(header, tensors)
        with replacing(self.path(window)) as part:
            part.write_bytes(as_bytes(tensors, metadata={ENTRY: json.dumps(header)}))

    def _moment(self, run: CoupledRun) -> Tensor:
        with self._aside() as path:
            run.save(path)
            return torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)

    @contextmanager
    def _aside(self) -> Iterator[Path]:
        # within the folder: elsewhere there may be no room
        place = Path(mkdtemp(prefix=f".{self.name}{ASIDE}", dir=self.folder))
        try:
            yield place / MOMENT
        finally:
            shutil.rmtree(place, ignore_errors=True)


def restarts_of(assembly: Assembly, begin: Begin) -> NoRestarts:
    """Return the restart files that a config asks for, ready to be used; collective.

    Raises
    ------
    ConfigError
        When a run should go on, but keeps nothing; when files would be due between two steps.
    DataError
        When the folder cannot be used.
    """
    section = assembly.config.run.restart
    if section is None:
        if begin is Begin.RESUME:
            hint = "add run.restart: {folder: restart}, and run once without --resume"
            raise ConfigError("the config keeps no restart files", where="--resume", hint=hint)
        return NoRestarts()
    name, since = assembly.config.source.file.stem, assembly.clock.start
    restarts = Restarts(section.folder, name, since, signature(assembly), restart_alarm(assembly))
    with agree(assembly.comm, "preparing the restart files"):
        if assembly.comm.rank == 0:
            restarts.prepare(begin)
    return restarts


# ---------------------------------------------------------------------- files
def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(ENTRY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError) as error:
        raise DataError(f"is damaged: {error}", where=str(path), hint=ANEW) from error
    if text is None:
        raise DataError("is no restart file of a forward run", where=str(path), hint=ANEW)
    header: dict[str, Any] = json.loads(text)
    if header.get("format") != FORMAT:
        raise DataError(f"has format {header.get('format')}, expected {FORMAT}", where=str(path), hint=ANEW)
    if header.pop("digest") != _digest(header, tensors):
        what = "is damaged: its numbers are not those that were written"
        raise DataError(what, where=str(path), hint=ANEW)
    return header, tensors


def _digest(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)} ".encode())
        digest.update(tensors[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def _refuse_other(found: Mapping[str, str], wanted: Mapping[str, str], path: Path) -> None:
    names = differing(wanted, found)
    if names:
        what = f"was written by another run: {', '.join(names)} differ"
        raise DataError(what if len(names) > 1 else f"{what}s", where=str(path), hint=ANEW)
