"""One line swapped: one local filter and one 4D-Var, with the reference transport and its surrogate."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.bench.checkout import examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.assembly import Assembly

    Array = NDArray[np.float64]

SIDES = ("reference", "surrogate")


def figures() -> dict[str, Any]:
    """Return error, spread, fit and seconds of both methods, with either answer, and how far they part."""
    found: dict[str, Any] = {}
    for name, method in {"letkf": _letkf, "4dvar": _four_d_var}.items():
        means = {}
        for side in SIDES:
            means[side], values = method(side)
            found |= {f"swap_{name}_{key}_{side}": value for key, value in values.items()}
        found[f"swap_{name}_gap"] = _rms(means["surrogate"] - means["reference"])
        seconds = (found[f"swap_{name}_seconds_{side}"] for side in SIDES)
        found[f"swap_{name}_speedup"] = next(seconds) / next(seconds)
    return found


def _letkf(side: str) -> tuple[Array, dict[str, float]]:
    """Return the last analysis of the scale factors, and what the filter says of its observations."""
    from tradewind.assimilation import assimilate

    assembly = _assembled("letkf.yaml", side)
    result, seconds = _timed(lambda: assimilate(assembly))
    members = result.members[_target(assembly)].numpy()
    departures = result.departures
    after = np.concatenate([(d.y - d.analysis)[d.used] / d.sigma[d.used] for d in departures])
    mean = members.mean(axis=0)
    return mean, {
        "rmse": _rms(mean - true_factors(assembly)),
        "spread": _rms(members.std(axis=0, ddof=1)),
        "cost_observations": float(after @ after),
        "seconds": seconds,
    }


def _four_d_var(side: str) -> tuple[Array, dict[str, float]]:
    """Return the scale factors at the minimum, and the cost there."""
    from tradewind.execute import invert

    assembly = _assembled("permian.yaml", side, "solve.method=4dvar")
    result, seconds = _timed(lambda: invert(assembly))
    posterior = result.posterior
    mean = posterior.mean.numpy()
    covariance = posterior.covariance
    return mean, {
        "rmse": _rms(mean - true_factors(assembly)),
        "spread": float("nan") if covariance is None else float(covariance.diagonal().mean().sqrt()),
        "cost_prior": posterior.cost["prior_after"],
        "cost_observations": posterior.cost["observations_after"],
        "seconds": seconds,
    }


def _assembled(file: str, side: str, *overrides: str) -> Assembly:
    from tradewind.assembly import assemble

    return assemble(examples() / file, [f"components.transport.run_as={side}", *overrides])


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begin = perf_counter()
    return work(), perf_counter() - begin


def _target(assembly: Assembly) -> str:
    return assembly.control.targets[0] if assembly.control is not None else ""


def true_factors(assembly: Assembly) -> Array:
    """Return the twin's true emissions over the prior's, element by element."""
    import xarray as xr

    control: Any = assembly.control
    area = control.layout.grid.area
    with xr.open_dataset(examples() / "permian_truth.nc") as ds:
        truth = ds["methane_flux"].values.ravel() * area
    prior = control.to_fields(control.prior)[_target(assembly)].numpy() * area
    labels = control.labels.numpy().ravel()
    inside = labels >= 0
    n = len(control.prior)
    totals = (np.bincount(labels[inside], weights=field[inside], minlength=n) for field in (truth, prior))
    return np.asarray(next(totals) / next(totals))


def _rms(values: Array) -> float:
    return float(np.sqrt((values**2).mean()))
