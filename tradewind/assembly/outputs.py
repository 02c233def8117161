"""What a run will write, looked at before it starts: files, fields of forward runs, restart files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.assembly.faults import Faults
from tradewind.couplers.coupling.time.alarms import MICROSECOND, alarm
from tradewind.errors import DataError, did_you_mean
from tradewind.findings.controlled import parts_of
from tradewind.findings.regions import Regions
from tradewind.output.files import check_writable

if TYPE_CHECKING:
    from tradewind.assembly.parts import Assembly
    from tradewind.couplers.coupling.time.alarms import Alarm


def check_outputs(assembly: Assembly, faults: Faults) -> None:
    """Refuse files that could not be written at the end of a long run, and fields that nobody has."""
    output, restart = assembly.config.output, assembly.config.run.restart
    for key, path in {"file": output.file, "report": output.report, "jacobian": output.jacobian}.items():
        if path is not None:
            with faults.at("output", key):
                check_writable(path)
    if restart is not None:
        with faults.at("run", "restart", "folder"):
            _check_folder(restart.folder)
        with faults.at("run", "restart", "every"):
            restart_alarm(assembly)
    _check_fields(assembly, faults)
    _check_regions(assembly, faults)
    assembly.notes += _without_effect(assembly)


def _check_folder(folder: Path) -> None:
    """Refuse a folder that is none, or could not be made."""
    if folder.exists() and not folder.is_dir():
        raise DataError("this is a file", where=str(folder), hint="name a folder, it is made when missing")
    check_writable(folder / "restart" if folder.exists() else folder)


def _check_fields(assembly: Assembly, faults: Faults) -> None:
    known = list(_readable(assembly))
    for number, field in enumerate(assembly.config.output.fields):
        if field.component in assembly.members and str(field) not in known:
            what = f"nothing of the name {str(field)!r} is exported, imported or kept"
            faults.add(("output", "fields", number), f"{what}, {did_you_mean(str(field), known)}")
    with faults.at("output", "every"):
        fields_alarm(assembly)


def _check_regions(assembly: Assembly, faults: Faults) -> None:
    """Refuse regions that cannot be read or lie elsewhere than the fields that x sets."""
    if assembly.control is None:
        return
    grids = [part.layout.grid for part in parts_of(assembly.control) if part.layout is not None]
    for name, path in assembly.config.output.regions.items():
        with faults.at("output", "regions", name):
            regions = Regions({name: path})
            for grid in grids:
                regions(grid)
            assembly.notes += regions.notes


def _readable(assembly: Assembly) -> Iterator[str]:
    for name, member in assembly.members.items():
        for variable in (*member.spec.exports, *member.spec.imports, *member.spec.state):
            yield f"{name}.{variable.name}"


def fields_alarm(assembly: Assembly) -> Alarm:
    """Return when fields are read.

    Raises
    ------
    ConfigError
        When that would be within a coupling interval, or never.
    """
    clock = assembly.clock
    return alarm(assembly.config.output.every or clock.step, clock, "output.every")


def restart_alarm(assembly: Assembly) -> Alarm:
    """Return when restart files are written: at ends of steps, also within a coupling interval.

    Raises
    ------
    ConfigError
        When they would be due where no step can end, or never.
    """
    config, clock = assembly.config, assembly.clock
    steps = [(section.step or clock.step) // MICROSECOND for section in config.components.values()]
    # an edge of this clock need not be the end of a step; a file is then written at the next that is
    finest = replace(clock, step=gcd(*steps) * MICROSECOND)
    restart = config.run.restart
    return alarm((restart and restart.every) or clock.step, finest, "run.restart.every")


def _without_effect(assembly: Assembly) -> Iterator[str]:
    """Yield which settings change nothing: a config may serve inversions and forward runs."""
    config = assembly.config
    if config.solve is None:
        if config.output.report is not None:
            yield "output.report is of inversions: a forward run makes none"
        if config.output.fields and config.output.file is None:
            yield "output.fields are written nowhere: name an output.file"
        return
    if config.ensemble is not None and assembly.filter is None:
        yield "ensemble: is of filters: the method calls the model itself"
    if config.output.fields:
        yield "output.fields are of forward runs: an inversion writes none of them"
    if config.run.restart is not None:
        yield "run.restart is of forward runs: an inversion keeps no restart files"
