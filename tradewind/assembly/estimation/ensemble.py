"""The filter of an assimilation, and the ensemble that it carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradewind.assembly.estimation.members import MembersFile
from tradewind.assembly.estimation.targets import targets_of
from tradewind.errors import did_you_mean
from tradewind.plugins.registry import Role

if TYPE_CHECKING:
    from tradewind.assembly.faults import Faults
    from tradewind.assembly.parts import Assembly
    from tradewind.config.sections.solving import EnsembleSection


def is_filter(assembly: Assembly, method: str) -> bool:
    """Return whether a method only analyses."""
    return method in {descriptor.name for descriptor in assembly.manager.available(Role.FILTER)}


def build_filter(assembly: Assembly, faults: Faults) -> None:
    """Build the filter, and look at what the config says of its members."""
    solve, section = assembly.config.solve, assembly.config.ensemble
    if solve is None:
        return
    with faults.at("solve", "options"):
        assembly.filter = assembly.manager.descriptor(Role.FILTER, solve.method).build(solve.options)
    if section is None:
        if not faults.spoil("ensemble"):
            faults.add(("solve",), f"the filter {solve.method!r} needs the section `ensemble:`")
        return
    _check_limits(assembly, section, faults)
    if assembly.config.run.restart is not None:
        what = "the loop of a filter keeps no restart files yet, leave it out"
        faults.add(("run", "restart"), what)
    if assembly.control is not None and section.file is not None:
        with faults.at("ensemble", "file"):
            MembersFile(section.file, section.members).check(targets_of(assembly, section.begin))
    _check_windows(assembly, faults)


def _check_limits(assembly: Assembly, section: EnsembleSection, faults: Faults) -> None:
    known = [
        f"{name}.{variable.name}"
        for name, member in assembly.members.items()
        for variable in (*member.spec.state, *member.spec.exports)
    ]
    for port in section.limits:
        if port not in known and port.partition(".")[0] in assembly.members:
            what = f"there is no state variable or export {port!r}, {did_you_mean(port, known)}"
            faults.add(("ensemble", "limits", port), what)


def _check_windows(assembly: Assembly, faults: Faults) -> None:
    """Refuse elements whose periods do not fit the windows."""
    with faults.at("control"):
        if assembly.control is not None:
            for window in assembly.windows:
                assembly.control.at(window)
