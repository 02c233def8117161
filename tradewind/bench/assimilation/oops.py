"""Lorenz-95 as OOPS runs it: forward runs, 3D-Var and 4D-Var, beside the numbers that OOPS prints.

Costs here have the factor 1/2, as there; reports of runs have not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from tradewind.bench.assimilation.lorenz95 import (
    CONTROL,
    FORECAST,
    FOUR_D_VAR,
    POINTS,
    POINTS_STREAM,
    THREE_D_VAR,
    TRUTH,
    Case,
    Folder,
    observed_points,
    stated,
)
from tradewind.couplers.assimilation import Control, Observations, ObservationsByWindow, Posterior
from tradewind.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

FORWARD = {
    "truth": (6.5589469828665576, 9.2781169031407753, 8.0114870375908573),
    "forecast": (-5.2310406392601312, 15.276437168335866, 6.4563081299850511),
    "restarted": (6.5621267105339633, 9.5857248071987957, 8.0069242674255463),
}
"""Minimum, maximum and mean that OOPS prints after 24 h, 72 h, and 6 h from 21 h."""
ROWS = {
    "start": (0.0, 114.53536836501503),
    "loop_1": (12.298142599759272, 3.1724820520492338),
    "loop_2": (12.298285611573817, 3.1723013629003529),
    "exact": (12.298280585756805, 3.1723063877999391),
}
"""Jb and Jo of 3D-Var that OOPS prints."""
AS_THERE = {"minimiser": "cg", "outer": 2, "inner": 10, "reduction": 1e-10, "covariance": "none"}
EXACT = {"minimiser": "cg", "outer": 3, "inner": 40, "reduction": 1e-12, "covariance": "none"}
SEED = 95
"""Of the perturbations that derivatives are tried with."""
DIGITAL_FILTER = {
    "operator": "digital-filter", "of": "model.x", "name": "digital-filter",
    "options": {"cutoff": "3h", "weight": 100.0},
}  # fmt: skip


def figures(reference: Path | None = None) -> dict[str, Any]:
    """Return errors against OOPS, and the costs of 4D-Var, as one flat object.

    Parameters
    ----------
    reference
        Folder with ``oops_l95.nc``, whose fields are then compared as well.
    """
    rows = three_d_var_errors()
    return {
        "oops_forward_error": forward_error(reference),
        "oops_3dvar_cost_error": rows["exact_j"],
        **{f"oops_3dvar_{name}_error": value for name, value in rows.items()},
        **{f"oops_{name}": value for name, value in derivative_errors().items()},
        **{f"oops_4dvar_{name}": value for name, value in four_d_var().items()},
        **{f"oops_4dvar_filtered_{name}": value for name, value in four_d_var([DIGITAL_FILTER]).items()},
    }


# ---------------------------------------------------------------------- forward runs
def forward_error(reference: Path | None = None) -> float:
    """Return the largest absolute difference of minima, maxima, means, and fields where they are at hand."""
    states = forward_states()
    last = {name: found[-1] for name, found in states.items()}
    gaps = [
        abs(np.array([x.min(), x.max(), x.mean()]) - np.array(FORWARD[name])).max()
        for name, x in last.items()
    ]
    return float(max([*gaps, *_field_gaps(states, reference)]))


def forward_states() -> dict[str, Array]:
    """Return the states of the three forward runs, shape ``(step, 40)``."""
    with TemporaryDirectory() as path:
        folder = Folder(Path(path))
        truth = folder.states(TRUTH, 16)
        return {
            "truth": truth,
            "forecast": folder.states(FORECAST, 48),
            "restarted": folder.states(stated(truth[13]), 4),
        }


def _field_gaps(states: Mapping[str, Array], reference: Path | None) -> list[float]:
    if reference is None:
        return []
    import xarray as xr

    wanted = {"truth_24h": ("truth", 16), "forecast_24h": ("forecast", 16), "forecast_72h": ("forecast", 48)}
    with xr.open_dataset(reference / "oops_l95.nc") as ds:
        return [
            float(abs(states[name][steps - 1] - ds[key].values).max())
            for key, (name, steps) in wanted.items()
        ]


# ---------------------------------------------------------------------- 3D-Var
def three_d_var_errors() -> dict[str, float]:
    """Return relative errors of J, Jb and Jo in every row of OOPS's table."""
    found = three_d_var()
    errors = {}
    for name, (jb, jo) in ROWS.items():
        errors[f"{name}_j"] = _relative(sum(found[name]), jb + jo)
        errors[f"{name}_jb"], errors[f"{name}_jo"] = (
            _relative(found[name][0], jb),
            _relative(found[name][1], jo),
        )
    return errors


def three_d_var() -> dict[str, tuple[float, float]]:
    """Return Jb and Jo at the start, after each of two loops, and at the exact minimum."""
    with TemporaryDirectory() as path:
        folder = Folder(Path(path))
        as_there = Run.of(THREE_D_VAR, folder, AS_THERE).posterior
        exact = Run.of(THREE_D_VAR, folder, EXACT).posterior
    loops = [entry for entry in as_there.details["iterations"] if not entry["inner"]]
    rows = {
        name: (0.5 * entry["prior"], 0.5 * entry["observations"])
        for name, entry in zip(("start", "loop_1", "loop_2"), loops, strict=True)
    }
    cost = exact.cost
    return rows | {"exact": (0.5 * cost["prior_after"], 0.5 * cost["observations_after"])}


def _relative(found: float, wanted: float) -> float:
    return abs(found - wanted) / abs(wanted) if wanted else abs(found)


# ---------------------------------------------------------------------- 4D-Var
def four_d_var(streams: Sequence[Mapping[str, Any]] = ()) -> dict[str, float]:
    """Return J, Jb, Jo and Jc at the start and after each of two outer loops, and what x is then.

    Parameters
    ----------
    streams
        What is observed besides the points: `DIGITAL_FILTER`, or nothing.
    """
    out: dict[str, float] = {}
    with TemporaryDirectory() as path:
        folder = Folder(Path(path))
        for outer in (1, 2):
            run = Run.of(FOUR_D_VAR, folder, AS_THERE | {"outer": outer}, streams)
            if outer == 1:
                out |= {f"start_{name}": value for name, value in run.terms("prior").items()}
            out |= {f"loop_{outer}_{name}": value for name, value in run.terms("posterior").items()}
    x = run.state
    return out | {"minimum": float(x.min()), "maximum": float(x.max()), "mean": float(x.mean())}


@dataclass(frozen=True)
class Run:
    """A case that was solved."""

    seen: ObservationsByWindow
    posterior: Posterior
    control: Control

    @property
    def state(self) -> torch.Tensor:
        """The analysis, shape ``(40,)``."""
        return self.control.to_fields(self.posterior.mean)["model.x"]

    @classmethod
    def of(
        cls, case: Case, folder: Folder, options: Mapping[str, Any], streams: Sequence[Mapping[str, Any]] = ()
    ) -> Run:
        """Return a case solved with these options, and other streams of observations beside its own."""
        begin, sections = case.sections(folder, options)
        sections["observations"] += streams
        assembly = folder.assembled(begin, case.window, **sections)
        model = assembly.model()
        seen = model.observe.windows(assembly.windows)
        if assembly.solver is None:
            raise ConfigError("no method is set", where="oops")
        return cls(seen, assembly.solver.solve(model, model.control, seen), model.control)

    def terms(self, when: str) -> dict[str, float]:
        """Return Jb, Jo, Jc and their sum ``prior`` or ``posterior``, with the factor 1/2."""
        (window, simulated), *_ = self.posterior.simulated.items()
        seen = self.seen[window]
        terms = 0.5 * (seen.y - simulated[when]).square() / _variance(seen)
        stream = np.asarray(seen.coordinates.get("stream", np.full(len(seen), POINTS_STREAM)))
        points = torch.from_numpy(stream == POINTS_STREAM)
        jb = 0.5 * self.posterior.cost["prior_before" if when == "prior" else "prior_after"]
        jo, jc = float(terms[points].sum()), float(terms[~points].sum())
        return {"jb": jb, "jo": jo, "jc": jc, "j": jb + jo + jc}


def _variance(seen: Observations) -> torch.Tensor:
    if seen.covariance is None:
        raise ConfigError("observations without errors", where="oops")
    return seen.covariance.diagonal()


# ---------------------------------------------------------------------- what OOPS asks of any model
def derivative_errors(hours: float = 48.0) -> dict[str, float]:
    """Return how far tangent and adjoint of a run are from what they have to be.

    ``tangent_error`` is the least of ``|F(x + e dx) - F(x) - e F' dx| / |e F' dx|``, e = 10^-1 ... 10^-12,
    ``adjoint_error`` is ``|<F' dx, dy> - <dx, F'^T dy>|`` relative to the first, ``zero_error`` what a
    perturbation of zero becomes, ``scaling_error`` that of ``F'(3 dx)`` against ``3 F' dx``, relative.
    """
    with TemporaryDirectory() as path:
        folder = Folder(Path(path))
        file = folder.observed([hours], np.zeros((1, POINTS)), list(range(POINTS)))
        streams = [observed_points(file)]
        assembly = folder.assembled(TRUTH, (0.0, hours), control=CONTROL, observations=streams)
        model, (window,) = assembly.model(), assembly.windows
    x = model.control.prior
    generator = torch.Generator().manual_seed(SEED)
    dx, dy = torch.randn(2, POINTS, generator=generator, dtype=torch.float64)
    K = model.linearize(x, window)
    ahead, back, base = K.forward(dx), K.adjoint(dy), model(x, window)
    changes = [(model(x + e * dx, window) - base) / e for e in 10.0 ** -np.arange(1, 13)]
    return {
        "tangent_error": min(float((c - ahead).norm() / ahead.norm()) for c in changes),
        "adjoint_error": abs(float(ahead @ dy - dx @ back)) / abs(float(ahead @ dy)),
        "zero_error": float(K.forward(0.0 * dx).abs().max()),
        "scaling_error": float((K.forward(3.0 * dx) - 3.0 * ahead).norm() / ahead.norm()),
    }
