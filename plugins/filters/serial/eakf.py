"""The ensemble adjustment Kalman filter, which takes observations one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from torch import Tensor

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.couplers.ranks.parallel import agree
from tradewind.errors import SpecError
from tradewind.plugins.filters import inflation as inflating
from tradewind.plugins.filters.checks import Seen, communicator, notes, seen, total
from tradewind.plugins.filters.inflation import MEMORY, Method
from tradewind.plugins.filters.local.gathering import Rows, Traffic, everything
from tradewind.plugins.filters.local.geometry import Geometry, heights
from tradewind.plugins.filters.local.groups import Group, grouped
from tradewind.plugins.filters.local.heights import Heights
from tradewind.plugins.filters.local.reach import Reach
from tradewind.plugins.filters.local.work import work
from tradewind.plugins.filters.options import EAKFOptions
from tradewind.plugins.filters.serial.kernels import Change, all_at_once, in_turn, update
from tradewind.plugins.filters.transform.analysis import finished
from tradewind.plugins.filters.transform.applying import Part, like, members_first, transform
from tradewind.plugins.filters.transform.weights import How

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


class Case(NamedTuple):
    """One analysis: all observations in order, members' weights, what is learnt, and what travelled."""

    rows: Rows
    how: How
    factor: float
    memory: Mapping[str, Any]
    traffic: Traffic


class EAKF:
    """Filter ``eakf``: Anderson (2001, doi 10.1175/1520-0493(2001)129<2884:AEAKFF>2.0.CO;2; 2003), serial.

    Observations are taken in the order of their numbers. With v the variance of what members show of one, σ²
    that of its error and d its innovation, members there move by

        Δ_i = v/(v + σ²) d + ((σ²/(v + σ²))^½ - 1) y'_i

    and everything else within the radius, what the other observations show included, by
    ``ρ cov(x, y)/v Δ_i`` with the taper ρ: localisation of the covariance, seen from the observations. Errors
    are independent. Every rank holds all observations for the time of the analysis.
    """

    method = Method("eakf")

    def __init__(self, options: EAKFOptions | None = None) -> None:
        self.options = options or EAKFOptions()
        near = self.options.localization
        self._geometry = None if near is None else Geometry(near)

    def analyse(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble; without any observation, the ensemble as it is.

        Raises
        ------
        SpecError
            Fewer than two members, members or observations that do not match, observations without places
            where there is a localisation, errors that are correlated.
        DataError
            Members, observations or simulations that are not finite, or observations without errors.
        """
        if not total(observations):
            return ensemble
        found = seen(ensemble, observations, self.method.name)
        case = self._case(ensemble, observations, found)
        said = notes(ensemble, found)
        weights = all_at_once(_anomalies(case), _innovations(case), case.how.prior / case.factor, case.how)
        if self._geometry is None:
            done = finished(ensemble, weights, self.options, case.memory, said)
        else:
            done = self._locally(ensemble, observations, case, self._geometry, weights)
        return replace(done, details={**done.details, "notes": said, "exchange": case.traffic.told()})

    def work(
        self, longitude: NDArray[np.float64], latitude: NDArray[np.float64], observations: Observations
    ) -> NDArray[np.float64]:
        """Return the cost of the analysis at each place, shape ``(cell,)``: see `WeighsWork`."""
        return work(longitude, latitude, observations, self.options.localization)

    def _case(self, ensemble: Ensemble, observations: Observations, found: Seen) -> Case:
        m = len(observations)
        with agree(communicator(ensemble, observations), self.method.name):
            if found.covariance is not None:
                hint = "use a transform filter, or give independent errors"
                raise SpecError("errors are correlated", where=self.method.name, hint=hint)
            places = np.zeros((m, 3)) if self._geometry is None else self._geometry.places(observations)
        columns = np.concatenate([found.anomalies, found.innovations[:, None]], axis=1)
        rows, traffic = everything(Rows(places, heights(observations), columns), observations)
        how = inflating.how(self.method, ensemble.members, self.options, ensemble.number)
        factor, memory = self._adapted(rows.columns, ensemble.memory)
        return Case(rows, how, factor, memory, traffic)

    def _adapted(self, columns: Array, memory: Mapping[str, Any]) -> tuple[float, Mapping[str, Any]]:
        """Return the factor on the forecast variance, one for everything, and the memory with the next."""
        adaptive = self.options.inflation.adaptive
        if adaptive is None:
            return 1.0, memory
        squares = np.add.accumulate(np.append(0.0, columns[:, -1] ** 2))[-1]
        variance = np.add.accumulate(np.append(0.0, columns[:, :-1] ** 2))[-1] / (columns.shape[1] - 2)
        factor = float(memory.get(MEMORY, adaptive.initial))
        sums = float(squares), float(variance), float(len(columns))
        return factor, {**memory, MEMORY: inflating.learnt(factor, sums, inflating.learning(adaptive))}

    def _locally(
        self, ensemble: Ensemble, observations: Observations, case: Case, geometry: Geometry, weights: Array
    ) -> Ensemble:
        """Analyse what has a place with the observations near it, and what has none with all of them."""
        geometry.look(case.rows.places)
        up = Heights.over(geometry.localization.vertical, case.rows.heights, geometry.rule.least)
        factor = float(np.sqrt(case.how.spare / case.how.prior * case.factor))
        within = geometry.between(), up.at(case.rows.heights), factor
        increments = in_turn(_anomalies(case), _innovations(case), *within)
        change = Change(increments, factor, case.how, inflating.spread(self.options.inflation))
        groups, nowhere = grouped(ensemble, geometry.localization)
        fields = {name: transform(ensemble.fields[name], weights, change.spread) for name in nowhere}
        for group in groups:
            reach = geometry.reach(group.layout, ensemble.members)
            for name in group.names:
                fields[name] = _updated(ensemble.fields[name], group, reach, change, up)
        shown = _shown(ensemble, heights(observations), geometry, change, up)
        ordered = {name: fields[name] for name in ensemble.fields}
        return replace(ensemble, fields=ordered, simulated=shown, memory=case.memory)


def _anomalies(case: Case) -> Array:
    return np.ascontiguousarray(case.rows.columns[:, :-1])


def _innovations(case: Case) -> Array:
    return np.ascontiguousarray(case.rows.columns[:, -1])


def _updated(field: Tensor, group: Group, reach: Reach, change: Change, up: Heights) -> Tensor:
    x = members_first(field)
    out = np.empty_like(x)
    for points, cells, near in reach:
        for number, height in enumerate(up.of(group, points.stop - points.start)):
            for part in group.parts(x.shape[1], number, cells.start):
                update(x, part, near, height, change, out)
    return like(out, field)


def _shown(ensemble: Ensemble, levels: Array, geometry: Geometry, change: Change, up: Heights) -> Tensor:
    """Return what members show after the analysis: each observation is updated as a place of its own."""
    x = members_first(ensemble.simulated)
    out = np.empty_like(x)
    for points, cells, near in geometry.reach(None, ensemble.members):
        update(x, Part(0, 1, cells.start), near, up.at(levels[points]), change, out)
    return like(out, ensemble.simulated)
