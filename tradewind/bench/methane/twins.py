"""What an inversion with the emulator claims to know, and what it knows: twins on held-out days.

The truth of each twin is drawn from the prior, its columns are made by the reference model with noise, and
it is inverted with the emulator: as the network answers; recalibrated; and recalibrated with the covariance
of the emulator's errors in R. If errors are described well, ``NEES / n = (x - xhat)ᵀ S⁻¹ (x - xhat) / n`` is
1 on average and 68 % of the elements lie within one standard deviation.

The error of K is the same in all twins that share a window and a place, so each twin draws its own: one of
sixteen regions that do not overlap, five of the ten windows of 15 to 20 January, one of three kinds of
inventories and the soundings that are clear. Nothing is fitted on these days; the factor on all variances was
settled after a look at them, though (docs/emulator.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tradewind.bench.checkout import examples

if TYPE_CHECKING:
    from torch import Tensor

    from tradewind.couplers.assimilation import Progress
    from tradewind.plugins.jacobian_emulator.samples import SampleMaker
    from tradewind.plugins.jacobian_emulator.surrogate import JacobianEmulator
    from tradewind.surrogates.checkpoint import Calibration

TWINS, SEED = 200, 1996
REGIONS, SIDE, MARGIN, HALF = 16, 8, 8, 20
"""Regions of SIDE x SIDE cells, seen with MARGIN cells around them; emulated maps reach HALF cells."""
FIRST, WINDOWS, EACH = datetime(1996, 1, 16, 6), 10, 5
TOTALS = {"": 3.2, "_strong": 10.0}
"""Tg a year in a region: that of the example, and sources so strong that errors of K outweigh the noise."""
NOISE, PRIOR_ERROR, CLEAR = 1.0, 0.5, 0.6
"""Noise in ppb, error of the prior relative to it, and the share of cells that are seen."""
AIR = 1.0e4
"""Air in a column, kg m-2."""
STEPS = ("without", "recalibrated", "with")


def figures(progress: Progress) -> dict[str, Any]:
    """Return coverage and NEES/n of the twins by step, and how reliable the emulated fractions are."""
    places = Field(assembled()).places(progress)
    found: dict[str, Any] = {"twins": TWINS, "twins_windows": WINDOWS, "twins_regions": len(places)}
    for name, total in TOTALS.items():
        found |= {f"{key}{name}": value for key, value in scores(places, total, progress).items()}
    return found | reliabilities(places)


def scores(places: list[Place], total: float, progress: Progress) -> dict[str, float]:
    """Return the means over all twins of regions that emit `total` Tg a year."""
    step, found = progress(f"twins of {total:g} Tg a year", TWINS), []
    for number in range(TWINS):
        found.append(Twin(places, number, total).scores())
        step()
    return summary(found)


def assembled() -> JacobianEmulator:
    """Return the emulator of the example."""
    from tradewind.assembly import assemble

    surrogate: JacobianEmulator = (
        assemble(examples() / "permian.yaml", ["components.transport.run_as=surrogate"])
        .members["transport"]
        .surrogate
    )
    return surrogate


def summary(found: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """Return means over the twins, by step, and the standard error of NEES with the error model."""
    names = {"coverage": "coverage", "nees": "nees", "total_coverage": "total_coverage", "dofs": "twins_dofs"}
    figures = {
        f"{key}_{step}": float(np.mean([twin[step][name] for twin in found]))
        for step in STEPS if step in found[0] for name, key in names.items()
    }  # fmt: skip
    if "nees_with" in figures:
        spread = np.std([twin["with"]["nees"] for twin in found])
        figures["nees_with_standard_error"] = float(spread / np.sqrt(len(found)))
    return figures


def reliabilities(places: list[Place]) -> dict[str, float]:
    """Return slope (1: reliable) and gap (0: reliable) of the emulated fractions, before and after."""
    from tradewind.surrogates.calibration import reliability

    reference = torch.cat([w.reference for place in places for w in place.windows])
    found: dict[str, float] = {}
    for name in ("emulated", "recalibrated"):
        values = torch.cat([getattr(w, name) for place in places for w in place.windows])
        when = "before" if name == "emulated" else "after"
        slope, gap = reliability(values, reference)
        found |= {f"reliability_slope_{when}": slope, f"reliability_gap_{when}": gap}
    return found


@dataclass(frozen=True)
class Seen:
    """One window's sensitivities of a region's sources in the cells in and around it.

    Attributes
    ----------
    reference, emulated, recalibrated
        Fractions, shape ``(source, cell)``.
    shapes, rest
        Shapes of the recalibrated fractions' errors, ``(shape, source, cell)``, and the variance of what is
        left over, ``(source, cell)``; None where the checkpoint does not know them.
    """

    reference: Tensor
    emulated: Tensor
    recalibrated: Tensor
    shapes: Tensor | None
    rest: Tensor | None

    @classmethod
    def of(cls, reference: Tensor, emulated: Tensor, calibration: Calibration | None) -> Seen:
        """Return what is seen of maps of shape ``(source, 41, 41)``."""
        from tradewind.surrogates.calibration import error_maps, recalibrate

        true, told = around(reference[:, None])[:, 0], around(emulated[:, None])[:, 0]
        if calibration is None:
            return cls(true, told, told, None, None)
        better = recalibrate(emulated, calibration.recalibration)
        maps = error_maps(better, calibration.structure)
        shapes, rest = around(maps.shapes).movedim(1, 0), around(maps.rest[:, None])[:, 0]
        return cls(true, told, around(better[:, None])[:, 0], shapes, rest)


@dataclass(frozen=True)
class Place:
    """A region in all windows, and what the checkpoint says of the errors."""

    windows: list[Seen]
    calibration: Calibration | None


@dataclass(frozen=True)
class Field:
    """Where regions lie and what reference and network answer there."""

    emulator: JacobianEmulator

    def places(self, progress: Progress) -> list[Place]:
        """Ask both for every source of every region and window: most of the time goes to the reference."""
        step = progress("K of the twins", REGIONS * WINDOWS)
        found = []
        for corner in self.corners():
            windows = []
            for number in range(WINDOWS):
                windows.append(self.seen(corner, FIRST + number * timedelta(hours=12)))
                step()
            found.append(Place(windows, self.emulator.network.calibration))
        return found

    def corners(self) -> list[tuple[int, int]]:
        """Draw regions that do not overlap from those whose sources' windows lie within the domain."""
        rows, columns = ((n - 2 * HALF) // SIDE for n in self.emulator.transport.domain.shape)
        drawn = np.random.default_rng(SEED).permutation(rows * columns)[:REGIONS]
        return [(HALF + SIDE * int(k // columns), HALF + SIDE * int(k % columns)) for k in drawn]

    def seen(self, corner: tuple[int, int], end: datetime) -> Seen:
        """Return the sensitivities of a region in the window that ends at `end`."""
        from tradewind.surrogates.evaluation import evaluate_in_blocks

        cells = [(corner[0] + i, corner[1] + j) for i in range(SIDE) for j in range(SIDE)]
        samples = self.maker.at(self.maker.transport.flows, end, cells)
        network = self.emulator.network
        raw = evaluate_in_blocks(network.network, samples.windows.x, samples.windows.latitude)
        return Seen.of(samples.target.double(), raw.double(), network.calibration)

    @cached_property
    def maker(self) -> SampleMaker:
        """Asks the reference model."""
        from tradewind.plugins.jacobian_emulator.samples import SampleMaker

        return SampleMaker(self.emulator.transport, self.emulator.length)


class Twin:
    """One truth, its soundings, and inversions of them.

    Parameters
    ----------
    places
        Of which one is drawn.
    number
        Of the twin: it seeds everything that is drawn.
    total
        What the region emits, Tg a year.
    """

    def __init__(self, places: list[Place], number: int, total: float) -> None:
        self.draw = np.random.default_rng([SEED, number])
        self.place = places[self.draw.integers(len(places))]
        self.emission = inventory(self.draw, number % 3, total)
        self.elements = self.emission.shape[1]
        self.prior = torch.ones(self.elements, dtype=torch.float64)
        deviation = PRIOR_ERROR * self.draw.standard_normal(self.elements)
        self.truth = self.prior + torch.from_numpy(deviation)

    def scores(self) -> dict[str, dict[str, float]]:
        """Return coverage, NEES/n, coverage of the total (0 or 1) and degrees of freedom, by step."""
        from tradewind.couplers.assimilation.covariance import DiagonalCovariance
        from tradewind.plugins.solvers.inversion.normal import information_form

        steps = STEPS if self.place.calibration else STEPS[:1]
        sums = dict.fromkeys(steps, torch.zeros(self.elements, self.elements + 1, dtype=torch.float64))
        for window in self.windows():
            for step, part in self._equations(window, steps):
                sums[step] = sums[step] + part
        prior = DiagonalCovariance(torch.full((self.elements,), PRIOR_ERROR**2, dtype=torch.float64))
        solved = {step: information_form(part[:, :-1], part[:, -1], prior) for step, part in sums.items()}
        return {
            step: judged(self.truth - self.prior - s.increment, s.covariance)
            | {"dofs": float(s.sensitivity.sum())}
            for step, s in solved.items()
        }

    def windows(self) -> list[Seen]:
        """Draw the windows."""
        drawn = self.draw.choice(WINDOWS, EACH, replace=False)
        return [self.place.windows[int(k)] for k in drawn]

    def _equations(self, window: Seen, steps: tuple[str, ...]) -> Iterator[tuple[str, Tensor]]:
        """Yield KᵀR⁻¹K and KᵀR⁻¹d of one window, ``(n, n + 1)``, by step."""
        clear = torch.from_numpy(self.draw.random((SIDE + 2 * MARGIN) ** 2) < CLEAR)
        noise = torch.from_numpy(NOISE * self.draw.standard_normal(int(clear.sum())))
        y = self._jacobian(window.reference, clear) @ self.truth + noise
        for step in steps:
            fractions = window.emulated if step == "without" else window.recalibrated
            K = self._jacobian(fractions, clear)
            R = NOISE**2 * torch.eye(len(y), dtype=torch.float64)
            R = R + self._errors(window, clear) if step == "with" else R
            factor = torch.linalg.cholesky(R)
            both = torch.cat([K, (y - K @ self.prior)[:, None]], dim=1)
            yield step, K.T @ torch.cholesky_solve(both, factor)

    def _jacobian(self, fractions: Tensor, clear: Tensor) -> Tensor:
        return fractions[:, clear].T @ self.emission

    def _errors(self, window: Seen, clear: Tensor) -> Tensor:
        """Return the covariance of the emulator's errors in what is seen, ppb², as inversions use it."""
        from tradewind.plugins.jacobian_emulator.errors import superposed
        from tradewind.surrogates.calibration import likeness
        from tradewind.surrogates.calibration.places import distances

        calibration = self.place.calibration
        if calibration is None or window.shapes is None or window.rest is None:
            return torch.zeros(1, dtype=torch.float64)
        cells = torch.arange(SIDE * SIDE)
        identity = torch.eye(self.elements, dtype=torch.float64)
        known = torch.outer(self.prior, self.prior) + PRIOR_ERROR**2 * identity
        moments = self.emission @ known @ self.emission.T
        alike = moments * likeness(distances(cells // SIDE, cells % SIDE), calibration.structure)
        rest = moments.diagonal() @ window.rest[:, clear]
        return superposed(window.shapes[:, :, clear], alike) + torch.diag(rest)


def judged(error: Tensor, covariance: Tensor) -> dict[str, float]:
    """Return how the error of an inversion compares with what it claims."""
    within = error.abs() < covariance.diagonal().sqrt()
    return {
        "coverage": float(within.double().mean()),
        "nees": float(error @ torch.linalg.solve(covariance, error)) / len(error),
        "total_coverage": float(error.sum().square() < covariance.sum()),
    }


def inventory(draw: np.random.Generator, kind: int, total: float) -> Tensor:
    """Return what each element emits in each cell, as ppb in a cell that holds all of it, ``(cell, tile)``.

    Kinds are even, one basin, and ten strong sources over a weak background; tiles are of 2 x 2 cells.
    """
    i, j = np.divmod(np.arange(SIDE * SIDE), SIDE)
    strength = np.ones(SIDE * SIDE)
    if kind == 1:
        middle = SIDE * draw.random(2)
        strength = 0.1 + np.exp(-((i - middle[0]) ** 2 + (j - middle[1]) ** 2) / 8.0)
    if kind == 2:
        strength = np.full(SIDE * SIDE, 0.2)
        strength[draw.choice(SIDE * SIDE, 10, replace=False)] += draw.lognormal(size=10)
    tile = (i // 2) * (SIDE // 2) + j // 2
    emitted = np.zeros((SIDE * SIDE, (SIDE // 2) ** 2))
    emitted[np.arange(SIDE * SIDE), tile] = strength / strength.sum() * _ppb(total)
    return torch.from_numpy(emitted)


def _ppb(total: float) -> float:
    """Return the ppb that what is emitted in a window would make in one cell of half a degree at 37 N."""
    area = 55.6e3**2 * np.cos(np.radians(37.0))
    kilograms = total * 1e9 / (365.25 * 24) * 12
    return float(kilograms / (AIR * area) * 28.96 / 16.04 * 1e9)


def around(maps: Tensor) -> Tensor:
    """Return maps about each source on the cells in and around a region, ``(source, map, cell)``.

    Parameters
    ----------
    maps
        Shape ``(source, map, 41, 41)``, sources of a region row by row.
    """
    source = torch.arange(SIDE * SIDE)
    reach = torch.arange(-MARGIN, SIDE + MARGIN)
    row = HALF + reach[None] - (source // SIDE)[:, None]
    column = HALF + reach[None] - (source % SIDE)[:, None]
    picked = maps[source[:, None, None], :, row[:, :, None], column[:, None, :]]
    return picked.flatten(1, 2).movedim(2, 1)
