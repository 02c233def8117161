"""The background check before an inversion; a filter's loop makes its own, of its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from tradewind.assembly.faults import Faults
from tradewind.assembly.parts import Assembly
from tradewind.config.sections.observing import ObservationsSection
from tradewind.config.source import Key
from tradewind.coupled.model import CoupledModel
from tradewind.couplers.assimilation import Departures, Observations
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


def screened(assembly: Assembly, model: CoupledModel) -> tuple[CoupledModel, dict[Interval, Departures]]:
    """Return the model without the observations that the background check rejects, and these; collective.

    What is simulated at the prior is compared. Rejected ones are counted in the assembly's notes.

    Raises
    ------
    DataError
        When all are rejected.
    """
    limits = limits_of(assembly)
    if limits is None:
        return model, {}
    simulated = _simulated(model)
    seen = model.observe.windows(model.windows)
    found = {w: screen(seen[w], simulated[w], limits) for w in model.windows}
    assembly.notes += Screening(np.concatenate([one.reasons for one in found.values()])).notes
    if not any(bool(one.used.any()) for one in found.values()):
        hint = "see `reject` of the observations"
        raise DataError("the background check rejects all observations", where="observations", hint=hint)
    assembly.observe = observe = PreparedOperator(model.observe, [Selection(found)])
    observe.windows(model.windows)
    rejected = {w: _departures(w, seen[w], simulated[w], one) for w, one in found.items() if one.notes}
    return replace(model, observe=observe), rejected


def limits_of(assembly: Assembly) -> Limit | Mapping[str, Limit | None] | None:
    """Return what the config's background checks allow, by stream where there are several; None: anything."""
    rejects = [section.reject for section in assembly.config.observations]
    limits = [None if r is None else Limit(r.departure, r.background_error) for r in rejects]
    if not any(limits):
        return None
    if isinstance(assembly.observe, ObservationNetwork):
        return dict(zip(assembly.observe.streams, limits, strict=True))
    return limits[0]


def _simulated(model: CoupledModel) -> dict[Interval, Tensor]:
    """Return what every window simulates at the prior, each rank having run its own; collective."""
    mine = {
        number: model(model.control.prior, model.windows[number]).detach()
        for number in owned_blocks(len(model.windows), 1, model.comm)
    }
    every = {number: values for part in model.comm.allgather(mine) for number, values in part.items()}
    return {window: every[number] for number, window in enumerate(model.windows)}


def _departures(window: Interval, seen: Observations, simulated: Tensor, found: Screening) -> Departures:
    """Return the rejected observations of a window."""
    out = (~found.used).nonzero()[:, 0]
    some, index = seen.take(out), out.numpy()
    unknown = np.full(len(index), np.nan)
    sigma = unknown if some.covariance is None else some.covariance.diagonal().sqrt().numpy()
    return Departures(
        window, some.y.numpy(), sigma, simulated[out].numpy(), unknown, unknown, unknown,
        np.full(len(index), -1), found.reasons[index], coordinates=some.coordinates,
    )  # fmt: skip
