"""The method of an assimilation: a solver, or a filter in its loop."""

from __future__ import annotations

from collections.abc import Iterator

from tradewind.assembly.estimation.ensemble import build_filter, is_filter, seeded
from tradewind.assembly.faults import Faults
from tradewind.assembly.parts import Assembly
from tradewind.coupled.derivatives.paths import on_the_way
from tradewind.coupled.model.surrogates import OTHER_LOOKS, UNKNOWN_LOOKS, alone
from tradewind.couplers.assimilation import Solver
from tradewind.plugins.registry import Role


def build_solver(assembly: Assembly, faults: Faults) -> None:
    """Build the method, and refuse one that needs gradients where a component has none."""
    section = assembly.config.solve
    if section is None or isinstance(section.options, dict):
        return
    if is_filter(assembly, section.method):
        build_filter(assembly, faults)
        return
    with faults.at("solve", "method"):
        options = seeded(section.options, None, assembly.config.run.seed)
        solver: Solver = assembly.manager.descriptor(Role.SOLVER, section.method).build(options)
        assembly.solver = solver
        if solver.needs_gradient:
            for name in _without_adjoint(assembly):
                what = f"has no adjoint, and the method {section.method!r} needs one"
                faults.add(("components", name), what)
        for name in _looked_at_otherwise(assembly):
            faults.add(("components", name), f"{UNKNOWN_LOOKS}: {OTHER_LOOKS}")
        _check_exports(assembly, faults)


def _looked_at_otherwise(assembly: Assembly) -> Iterator[str]:
    """Yield observed components that run as a surrogate which knows nothing of what is looked at."""
    if assembly.observe is None:
        return
    observed = {port.partition(".")[0] for port in assembly.observe.observes}
    for name in sorted(observed & assembly.insisting):
        if not all(alone(assembly.observe, w, name, assembly.exchanges) for w in assembly.windows):
            yield name


def _check_exports(assembly: Assembly, faults: Faults) -> None:
    """Let surrogates that have to answer refuse what is observed."""
    for port in () if assembly.observe is None else assembly.observe.observes:
        component, _, name = port.partition(".")
        check = getattr(assembly.members[component].surrogate, "check_export", None)
        if check is not None and component in assembly.insisting:
            with faults.at("components", component):
                check(name)


def _without_adjoint(assembly: Assembly) -> Iterator[str]:
    """Yield components without an adjoint on the way from the control to the observations."""
    if assembly.control is None or assembly.observe is None:
        return  # what is missing is reported where it stands
    passed = on_the_way(assembly.exchanges, assembly.control.targets, assembly.observe.observes)
    for name, member in assembly.members.items():
        if name in passed and not member.spec.differentiable and member.surrogate is None:
            yield name
