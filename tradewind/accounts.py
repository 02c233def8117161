"""What every result says of its run: who answered how much, and which files it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tradewind.assembly import Assembly, Member
from tradewind.config import RunAs
from tradewind.coupled.model import Calls
from tradewind.couplers.assimilation.linearization import Count
from tradewind.findings.controlled import units_of_elements
from tradewind.plugins.policies.shadow import Shadow
from tradewind.plugins.registry import Role, StandsIn
from tradewind.provenance import gather
from tradewind.results import CallRecord


# ---------------------------------------------------------------------- who answered
def call_records(assembly: Assembly, calls: Calls) -> Iterator[CallRecord]:
    """Yield who answered what, summed over ranks, in the order of the components; collective.

    Parameters
    ----------
    calls
        Who was asked to linearize.
    """
    for name, member in assembly.members.items():
        yield from _steps(assembly, name, member)
        yield from _linearizations(assembly, name, member, calls)


def _steps(assembly: Assembly, name: str, member: Member) -> Iterator[CallRecord]:
    for plugin, tally in assembly.callers[name].tally.items():
        if plugin == member.section.plugin or _stands_in_for(assembly, plugin) is StandsIn.STEP:
            count = Count(tally.calls, tally.calls, tally.seconds)
            yield from _record(assembly, name, plugin, "step", count)


def _stands_in_for(assembly: Assembly, surrogate: str) -> StandsIn | None:
    return assembly.manager.descriptor(Role.SURROGATE, surrogate).stands_in_for


def _linearizations(assembly: Assembly, name: str, member: Member, calls: Calls) -> Iterator[CallRecord]:
    reference = calls.counts.get((name, "reference"))
    if member.section.run_as is not RunAs.SURROGATE:
        note, plugin = _note(member.policies), member.section.plugin
        yield from _record(assembly, name, plugin, "linearize", reference or Count(), note)
    if member.surrogate is not None:
        count = getattr(member.surrogate, "count", Count())
        yield from _record(assembly, name, str(member.section.surrogate), "linearize", count)


def _record(
    assembly: Assembly, component: str, plugin: str, what: str, count: Count, note: str = ""
) -> Iterator[CallRecord]:
    every = assembly.comm.allgather((count.calls, count.columns, count.seconds))
    calls, columns, seconds = (sum(part) for part in zip(*every, strict=True))
    if calls:
        yield CallRecord(component, plugin, what, int(calls), int(columns), float(seconds), note)


def _note(policies: Sequence[Any]) -> str:
    for part in policies:
        if isinstance(part.target, Shadow):
            return f"surrogate differs by {part.target.relative_difference:.1%} (root mean square)"
    return ""


# ---------------------------------------------------------------------- from what
def origin(assembly: Assembly) -> Mapping[str, Any]:
    """Return the provenance of a result: see `tradewind.provenance.gather`, and what was observed."""
    source = assembly.config.source.file
    seen = {
        "observed": "observation",
        "observed_units": observed_units(assembly),
        "control_units": _control_units(assembly),
    }
    inputs = dict.fromkeys([source, *input_files(assembly)])
    return gather(config=source.read_text(), inputs=inputs) | seen


def _control_units(assembly: Assembly) -> str:
    return "" if assembly.control is None else units_of_elements(assembly.control, assembly.variable)


def observed_units(assembly: Assembly) -> str:
    """Return the units of y: the observation operator's own, else those that all that is observed shares."""
    if assembly.observe is None:
        return ""
    units = {getattr(assembly.observe, "units", "")} - {""}
    units = units or {assembly.variable(port).units for port in assembly.observe.observes}
    return units.pop() if len(units) == 1 else ""


def input_files(assembly: Assembly) -> Iterator[Path]:
    """Yield every file that the settings of a part in use name, and plugins that are files.

    Folders (Zarr stores, templates of external models) are not files: what is in them is not looked at.
    """
    config = assembly.config
    for member in assembly.members.values():
        yield from _files(member.section.options)
        yield from _files(tuple(getattr(member.component, "inputs", tuple)()))
        if member.surrogate is not None:
            yield from _files(member.section.surrogate_options)
    for section in (config.exchanges, config.observations, config.control):
        yield from _files(section)
    yield from (config.source.folder / name for name in config.plugins if name.endswith(".py"))


def _files(setting: object) -> Iterator[Path]:
    """Yield the files that a setting names, however deep."""
    if isinstance(setting, Path):
        yield from [setting] if setting.is_file() else []
    elif isinstance(setting, BaseModel):
        yield from _files(dict(setting))
    elif isinstance(setting, Mapping):
        for value in setting.values():
            yield from _files(value)
    elif isinstance(setting, list | tuple):
        for value in setting:
            yield from _files(value)
