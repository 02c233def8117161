"""The filter of an assimilation, and the ensemble that it carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradewind.assembly.estimation.members import MembersFile
from tradewind.assembly.estimation.targets import targets_of
from tradewind.config import RunAs
from tradewind.config.sections.solving import EachWindow
from tradewind.errors import did_you_mean
from tradewind.plugins.registry import Role, StandsIn

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
        options = seeded(solve.options, section, assembly.config.run.seed)
        assembly.filter = assembly.manager.descriptor(Role.FILTER, solve.method).build(options)
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
    _check_surrogates(assembly, section, faults)


def seeded(options: Any, section: EnsembleSection | None, seed: int) -> Any:
    """Return a method's options with the ensemble's seed, or the run's, where they name none."""
    if "seed" not in type(options).model_fields or "seed" in options.model_fields_set:
        return options
    own = None if section is None else section.seed
    return options.model_copy(update={"seed": seed if own is None else own})


def _check_surrogates(assembly: Assembly, section: EnsembleSection, faults: Faults) -> None:
    """Refuse surrogates that answer for whole windows where members go on from step to step."""
    if section.begin is not EachWindow.CARRIED:
        return
    for name, component in assembly.config.components.items():
        if (
            component.run_as is RunAs.REFERENCE
            or component.surrogate is None
            or faults.spoil("components", name)
        ):
            continue
        ways = assembly.manager.descriptor(Role.SURROGATE, str(component.surrogate)).stands_in_for
        if ways is not StandsIn.STEP:
            what = f"{component.surrogate!r} stands in for a {ways}, and states are carried step by step"
            faults.add(("components", name, "run_as"), f"{what}: say `begin: initial` under `ensemble:`")


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
