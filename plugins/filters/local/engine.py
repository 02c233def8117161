"""Analyses of everything that an ensemble holds, place by place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.couplers.ranks.parallel import agree
from tradewind.errors import SpecError
from tradewind.plugins.filters import inflation as inflating
from tradewind.plugins.filters.checks import Seen, communicator, notes, seen, total
from tradewind.plugins.filters.inflation import MEMORY, NONE, Method
from tradewind.plugins.filters.local.gathering import Rows, Traffic, gathered
from tradewind.plugins.filters.local.geometry import Geometry, heights
from tradewind.plugins.filters.local.groups import Group, grouped
from tradewind.plugins.filters.local.heights import Heights
from tradewind.plugins.filters.local.kernels import Given, analyses, projected
from tradewind.plugins.filters.local.reach import Reach
from tradewind.plugins.filters.options import AtObservations, Localization, LocalOptions
from tradewind.plugins.filters.perturbations import perturbations
from tradewind.plugins.filters.transform import analysis
from tradewind.plugins.filters.transform.applying import Part, apply, like, members_first, transform
from tradewind.plugins.filters.transform.weights import How, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]

DENSEST = 4096
"""Most observations with correlated errors: their matrix is held."""
NOWHERE = "without a place"
"""Key, in the memory, of the inflation of fields that have none."""


class Case(NamedTuple):
    """One analysis: what observations say to this rank, and how members are weighed."""

    given: Given
    heights: Heights
    how: How
    traffic: Traffic


class LocalAnalysis:
    """Analyses with a localisation; places are kept, so that the same filter is quick when called again.

    Parameters
    ----------
    method
        What is done at each point.
    localization, options
        Which observations it sees, and everything else.
    """

    def __init__(self, method: Method, localization: Localization, options: LocalOptions) -> None:
        self.method, self.localization, self.options = method, localization, options
        self.geometry = Geometry(localization, options.points_per_analysis)
        self.spread = inflating.spread(options.inflation)

    def __call__(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble; without any observation, the ensemble as it is.

        Collective where ranks share the observations.

        Raises
        ------
        SpecError, DataError
            As `checks.seen` says, and for observations without a place.
        """
        m = total(observations)
        if not m:
            return ensemble
        found = seen(ensemble, observations, self.method.name)
        groups, nowhere = grouped(ensemble, self.localization)
        case = self._case(ensemble, observations, found, groups)
        fields, memory = {}, {}
        for group in groups:
            done, factors = self._group(ensemble, group, case)
            fields.update(done)
            memory.update(factors)
        if nowhere:
            done, factors = self._nowhere(ensemble, observations, found, nowhere)
            fields.update(done)
            memory.update(factors)
        return replace(
            ensemble,
            fields={name: fields[name] for name in ensemble.fields},
            simulated=self._simulated(ensemble, observations, case),
            memory={**ensemble.memory, MEMORY: memory} if memory else ensemble.memory,
            details={**ensemble.details, "notes": notes(ensemble, found), "exchange": case.traffic.told()},
        )

    def _case(self, ensemble: Ensemble, observations: Observations, found: Seen, groups: list[Group]) -> Case:
        how = inflating.how(self.method, ensemble.members, self.options, ensemble.number)
        with agree(communicator(ensemble, observations), self.method.name):
            places = self.geometry.places(observations)
            columns = self._columns(found, observations, how, ensemble.number)
            points = [self.geometry.points(group.layout).places for group in groups]
            if self.options.at_observations is AtObservations.ANALYSED:
                points.append(places)
            shared = observations.comm is not None and observations.comm.size > 1
            covariance = _dense(found, shared, self.method.name)
        rows, traffic = Rows(places, heights(observations), columns), Traffic(received=len(places))
        if observations.comm is not None:
            everywhere = np.concatenate([np.zeros((0, 3)), *points])
            rows, traffic = gathered(rows, observations, everywhere, self.geometry.radius)
        self.geometry.look(rows.places)
        rank = how.basis.shape[1] or ensemble.members
        up = Heights.over(self.localization.vertical, rows.heights, self.geometry.rule.least)
        return Case(Given(rows.columns, rank, covariance), up, how, traffic)

    def _columns(self, found: Seen, observations: Observations, how: How, number: int) -> Array:
        anomalies = projected(found.anomalies, how.basis) if len(how.basis) else found.anomalies
        columns = [anomalies, found.innovations[:, None]]
        if how.kind == Kind.PERTURBED:
            columns.append(perturbations(found, observations, self.options.seed, number))
        return np.concatenate(columns, axis=1)

    def _group(
        self, ensemble: Ensemble, group: Group, case: Case
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return analysed fields, and the inflation of the next analysis, by name."""
        reach = self.geometry.reach(group.layout, ensemble.members)
        before = {name: members_first(ensemble.fields[name]) for name in group.names}
        after = {name: np.empty_like(x) for name, x in before.items()}
        which = reach.points.which
        factors = self._factors(ensemble, group, reach)
        for points, cells, near in reach:
            for number, height in enumerate(case.heights.of(group, points.stop - points.start)):
                at = factors[number, points]
                weights = analyses(near, case.given, height, at, case.how, self._learning)
                local = which[cells] - points.start
                for name, x in before.items():
                    for part in group.parts(x.shape[1], number, cells.start):
                        apply(x, part, weights, local, self.spread, after[name])
        done = {name: like(x, ensemble.fields[name]) for name, x in after.items()}
        return done, self._remembered(group, factors, which)

    @property
    def _learning(self) -> inflating.Learning:
        return inflating.learning(self.options.inflation.adaptive)

    def _factors(self, ensemble: Ensemble, group: Group, reach: Reach) -> Array:
        """Return the factor on the forecast variance of every level and point."""
        adaptive = self.options.inflation.adaptive
        initial = 1.0 if adaptive is None else adaptive.initial
        factors = np.full((max(len(group.levels), 1), len(reach.points)), initial)
        kept = ensemble.memory.get(MEMORY, {}).get(group.names[0]) if adaptive is not None else None
        if kept is not None:
            factors[:, reach.points.which] = kept.numpy().reshape(len(factors), -1)
        return factors

    def _remembered(self, group: Group, factors: Array, which: Index) -> dict[str, Tensor]:
        if self.options.inflation.adaptive is None:
            return {}
        cells = torch.from_numpy(factors[:, which])
        return dict.fromkeys(group.names, cells if group.levels else cells[0])

    def _nowhere(
        self, ensemble: Ensemble, observations: Observations, found: Seen, names: tuple[str, ...]
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Analyse fields that have no place with all observations at once."""
        number, options = ensemble.number, self.options
        how = inflating.how(self.method, ensemble.members, options, number)
        sums = analysis.summed(found, observations, total(observations), how, options.seed, number)
        kept = ensemble.memory.get(MEMORY, {})
        memory = {MEMORY: kept[NOWHERE]} if NOWHERE in kept else {}
        factor, following = analysis.adapted(sums, memory, options)
        weights = analysis.weighed(sums, how.prior / factor, how)
        done = {name: transform(ensemble.fields[name], weights, self.spread) for name in names}
        return done, {NOWHERE: following[MEMORY]} if MEMORY in following else {}

    def _simulated(self, ensemble: Ensemble, observations: Observations, case: Case) -> Tensor:
        if self.options.at_observations is AtObservations.FORECAST:
            return ensemble.simulated
        reach = self.geometry.reach(None, ensemble.members)
        x = members_first(ensemble.simulated)
        out = np.empty_like(x)
        levels = heights(observations)
        adaptive = self.options.inflation.adaptive
        for points, cells, near in reach:
            factors = np.full(points.stop - points.start, 1.0 if adaptive is None else adaptive.initial)
            height = case.heights.at(levels[points])
            weights = analyses(near, case.given, height, factors, case.how, inflating.Learning())
            local = np.arange(points.stop - points.start)
            apply(x, Part(0, 1, cells.start), weights, local, self.spread, out)
        return like(out, ensemble.simulated)


def _dense(found: Seen, shared: bool, where: str) -> Array:
    """Return the matrix of correlated errors, ``(0, 0)`` where they are independent."""
    if found.covariance is None:
        return NONE
    m = len(found.innovations)
    if shared or m > DENSEST:
        why = "are shared out among ranks" if shared else f"are more than {DENSEST}"
        what = f"errors are correlated, and the {m} observations {why}"
        raise SpecError(what, where=where, hint="give independent errors, or use a global filter")
    return np.ascontiguousarray(found.covariance.apply(torch.eye(m, dtype=torch.float64)).numpy())
