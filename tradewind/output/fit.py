"""How well the simulated observations fit the real ones, before and after the inversion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.diagnostics import departures_of, diagnose
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tradewind.couplers.assimilation import Observations, ObservationsByWindow
    from tradewind.couplers.coupling.component import Interval
    from tradewind.diagnostics import Diagnosis
    from tradewind.results import AssimilationResult, InversionResult, SimulationResult

    Array: TypeAlias = NDArray[np.float64]

STAGES = ("prior", "posterior")
"""Of an inversion."""
STAGE = "simulated"
"""Of a forward run."""


def array(tensor: Tensor) -> NDArray[Any]:
    """Return the numbers of a tensor, wherever it lives."""
    values: NDArray[Any] = tensor.detach().cpu().numpy()
    return values


def size_of(values: Array) -> float:
    """Return the root mean square of those values that are finite, NaN where there is none."""
    known = values[np.isfinite(values)]
    return float(np.sqrt((known**2).mean())) if known.size else float("nan")


@dataclass(frozen=True)
class Misfit:
    """Mean and root mean square of simulated minus observed, in the observations' units.

    Both are NaN where there is nothing to compare.
    """

    count: int
    bias: float
    rmse: float

    @classmethod
    def of(cls, residuals: Array) -> Misfit:
        """Return the misfit of `residuals`, shape ``(m,)``."""
        if not len(residuals):
            return cls(0, float("nan"), float("nan"))
        return cls(len(residuals), float(residuals.mean()), float(np.sqrt((residuals**2).mean())))


@dataclass(frozen=True)
class Comparison:
    """All observations of a run, by window in time order, beside what was simulated of them.

    Attributes
    ----------
    y, sigma
        Observed values and their one-sigma errors, shape ``(m,)``.
    simulated
        By stage, ``prior`` and ``posterior``, shape ``(m,)``; NaN where none was given.
    window
        Number of each observation's window, shape ``(m,)``.
    windows
        How many windows there are, those without observations included.
    coordinates
        Where and when, by CF name, shape ``(m,)``.
    """

    y: Array
    sigma: Array
    simulated: Mapping[str, Array]
    window: NDArray[np.int32]
    windows: int
    coordinates: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.y)

    def residuals(self, stage: str) -> Array:
        """Return simulated minus observed, shape ``(m,)``."""
        return self.simulated[stage] - self.y

    def misfit(self, stage: str) -> Misfit:
        """Return the misfit over all observations."""
        return Misfit.of(self.residuals(stage))

    def by_window(self, stage: str) -> list[Misfit]:
        """Return the misfit of each window, in their order."""
        residuals = self.residuals(stage)
        return [Misfit.of(residuals[self.window == number]) for number in range(self.windows)]


def compare(result: InversionResult) -> Comparison:
    """Lay out the observations of `result` one after the other, beside both of its simulations.

    Raises
    ------
    SpecError
        When a window has another number of simulated observations than of observations.
    """
    return laid_out(result.windows, result.observations, result.posterior.simulated, STAGES)


def compared(result: SimulationResult) -> Comparison:
    """Lay out the observations of `result` beside what was simulated."""
    simulated = {window: {STAGE: values} for window, values in result.simulated.items()}
    return laid_out(result.windows, result.observations, simulated, (STAGE,))


def diagnosis_of(result: InversionResult) -> Diagnosis:
    """Return what the departures of an inversion say."""
    simulated = result.posterior.simulated
    return diagnose(departures_of(result.windows, result.observations, simulated, result.rejected))


def observed_units(result: InversionResult | SimulationResult | AssimilationResult) -> str:
    """Return the units of the observations, empty where the run does not say."""
    return str(result.provenance.get("observed_units", ""))


def laid_out(
    windows: Sequence[Interval],
    observations: ObservationsByWindow,
    simulated: Mapping[Interval, Mapping[str, Tensor]],
    stages: Sequence[str],
) -> Comparison:
    """Lay out observations one after the other, in the order of their windows.

    Parameters
    ----------
    simulated
        By window and stage, shape ``(m,)``.
    stages
        Simulations that are wanted; NaN where one is missing.

    Raises
    ------
    SpecError
        When a window has another number of simulated observations than of observations.
    """
    seen = [(n, w, observations[w]) for n, w in enumerate(windows) if w in observations]
    return Comparison(
        y=_joined([array(o.y) for _, _, o in seen]),
        sigma=_joined([_sigma(o) for _, _, o in seen]),
        simulated={s: _joined([_simulated(simulated, w, o, s) for _, w, o in seen]) for s in stages},
        window=np.repeat(
            np.array([n for n, _, _ in seen], dtype=np.int32), [len(o) for _, _, o in seen]
        ).astype(np.int32),
        windows=len(windows),
        coordinates=coordinates_of([o.coordinates for _, _, o in seen if len(o)]),
    )


def _joined(parts: Sequence[Array]) -> Array:
    return np.concatenate([np.zeros(0), *parts]).astype(np.float64)


def _sigma(observations: Observations) -> Array:
    if observations.covariance is None:
        return np.full(len(observations), np.nan)
    sigma: Array = np.sqrt(array(observations.covariance.diagonal()))
    return sigma


def _simulated(
    simulated: Mapping[Interval, Mapping[str, Tensor]],
    window: Interval,
    observations: Observations,
    stage: str,
) -> Array:
    values = simulated.get(window, {}).get(stage)
    if values is None:
        return np.full(len(observations), np.nan)
    if len(values) != len(observations):
        raise SpecError(
            f"{len(values)} simulated observations for {len(observations)} observations",
            where=f"window {window}, {stage}",
        )
    return array(values)


def coordinates_of(parts: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return coordinates of observations one after the other: those that all `parts` (not empty) have."""
    # only what all windows have can be laid out as one array
    names = [n for n in (parts[0] if parts else ()) if all(n in part for part in parts)]
    return {n: np.concatenate([_coordinate(part[n]) for part in parts]) for n in names}


def _coordinate(values: Any) -> NDArray[Any]:
    out = np.asarray(values)
    # moments of other calendars than the world's stay the objects that they are
    ours = out.dtype.kind == "M" or (out.dtype.kind == "O" and isinstance(out.flat[0], datetime))
    return out.astype("datetime64[ns]") if ours else out
