"""The background check before an inversion; a filter's loop makes its own, of its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tradewind.assembly.faults import Faults
from tradewind.assembly.parts import Assembly
from tradewind.config.sections.observing import ObservationsSection
from tradewind.config.source import Key
from tradewind.coupled.model import CoupledModel
from tradewind.couplers.assimilation.observing import (
    Limit,
    ObservationNetwork,
    PreparedOperator,
    Screening,
    Selection,
    screen,
)
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.ranks.parallel import owned_blocks
from tradewind.errors import DataError
from tradewind.plugins.registry import Role


def check_limits(assembly: Assembly, section: ObservationsSection, at: Sequence[Key], faults: Faults) -> None:
    """Refuse a background check that does not know how far the background may be off."""
    solve, reject = assembly.config.solve, section.reject
    if solve is None or reject is None or reject.background_error is not None:
        return
    if solve.method not in {d.name for d in assembly.manager.available(Role.FILTER)}:
        what = f"{solve.method!r} has no members whose spread could be taken, give a background_error"
        faults.add((*at, "reject"), what)


def screened(assembly: Assembly, model: CoupledModel) -> CoupledModel:
    """Return the model without the observations that the background check rejects; collective.

    What is simulated at the prior is compared. Rejected ones are counted in the assembly's notes.

    Raises
    ------
    DataError
        When all are rejected.
    """
    limits = _limits(assembly)
    if limits is None:
        return model
    found = _screenings(model, limits)
    assembly.notes += _counted(list(found.values()))
    if not any(bool(one.used.any()) for one in found.values()):
        hint = "see `reject` of the observations"
        raise DataError("the background check rejects all observations", where="observations", hint=hint)
    observe = PreparedOperator(model.observe, [Selection(found)])
    observe.windows(model.windows)
    assembly.observe = observe
    return replace(model, observe=observe)


def _limits(assembly: Assembly) -> Limit | Mapping[str, Limit | None] | None:
    rejects = [section.reject for section in assembly.config.observations]
    limits = [None if r is None else Limit(r.departure, r.background_error) for r in rejects]
    if not any(limits):
        return None
    if isinstance(assembly.observe, ObservationNetwork):
        return dict(zip(assembly.observe.streams, limits, strict=True))
    return limits[0]


def _screenings(model: CoupledModel, limits: Limit | Mapping[str, Limit | None]) -> dict[Interval, Screening]:
    seen = model.observe.windows(model.windows)
    mine = {
        number: screen(seen[window], model(model.control.prior, window).detach(), limits).reasons
        for number in owned_blocks(len(model.windows), 1, model.comm)
        for window in [model.windows[number]]
    }
    every = {number: reasons for part in model.comm.allgather(mine) for number, reasons in part.items()}
    return {window: Screening(every[number]) for number, window in enumerate(model.windows)}


def _counted(screenings: Sequence[Screening]) -> list[str]:
    import numpy as np

    return Screening(np.concatenate([one.reasons for one in screenings])).notes
