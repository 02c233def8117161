"""The coupled example as a whole: its adjoint, its second order, its budget, on one rank and on several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tradewind.assembly import Assembly, assemble
from tradewind.bench.checkout import can_launch, examples, python
from tradewind.bench.inversion.permian import same_numbers
from tradewind.couplers.coupling.component import Interval

CONFIG = "coupled.yaml"
RUN_AS = ("reference", "surrogate")
RANKS = (2, 3, 4)
SEED = 19_960_115
STEPS = tuple(2.0**-k for k in range(1, 8))
"""Lengths of the steps of the Taylor test, along one random direction."""


def figures() -> dict[str, Any]:
    """Return all figures of the example but those of killed runs."""
    return derivatives() | budget()


def assembled(*settings: str) -> Assembly:
    """Return the example with some settings changed."""
    return assemble(examples() / CONFIG, settings)


# ---------------------------------------------------------------------- derivatives
def derivatives() -> dict[str, Any]:
    """Return the dot test, the worse of both ways to run it, and the slopes of the Taylor remainder.

    Van Leer's limiter has corners, where a remainder is not of second order: the slope that counts is that of
    the smooth scheme, the other is told beside it.
    """
    dots = {name: dot_test(assembled(f"components.transport.run_as={name}")) for name in RUN_AS}
    slopes = {scheme: slope(assembled(*_cost_of(scheme))) for scheme in ("upwind", "van_leer")}
    return {
        "dot_test": max(dots.values()),
        **{f"dot_test_{name}": value for name, value in dots.items()},
        "taylor_slope": slopes["upwind"],
        "taylor_slope_van_leer": slopes["van_leer"],
    }


def _cost_of(scheme: str) -> tuple[str, ...]:
    return "components.transport.run_as=reference", f"components.transport.options.scheme={scheme}"


def dot_test(assembly: Assembly) -> float:
    """Return |<K dx, dy> - <dx, Kᵀ dy>| / (|K dx| |dy|), K being that of all windows together.

    K leads from the control through its exchanges, transport and observation operator, past the lag.
    """
    model, generator = assembly.model(), torch.Generator().manual_seed(SEED)
    x = model.control.prior
    dx = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    parts = [model.linearize(x, window) for window in assembly.windows]
    ahead = [part.forward(dx) for part in parts]
    dy = [torch.randn(y.shape, generator=generator, dtype=torch.float64) for y in ahead]
    back = sum((part.adjoint(y) for part, y in zip(parts, dy, strict=True)), torch.zeros_like(x))
    gap = torch.cat(ahead) @ torch.cat(dy) - dx @ back
    return float(gap.abs() / (torch.cat(ahead).norm() * torch.cat(dy).norm()))


class Cost:
    """J(x) = Σ ln cosh((H(x) - y) / σ) over all windows: a nonlinear scalar of the run, and its gradient.

    Of second order even where H is linear, and not a parabola; with van Leer's scheme H is not linear either.
    """

    def __init__(self, assembly: Assembly) -> None:
        self.model, self.windows = assembly.model(), assembly.windows
        self.observed = self.model.observe.windows(assembly.windows)

    def __call__(self, x: Tensor) -> float:
        """Return J."""
        return sum(float(torch.log(torch.cosh(d / sigma)).sum()) for _, d, sigma in self._departures(x))

    def gradient(self, x: Tensor) -> Tensor:
        """Return Σ Kᵀ tanh((H(x) - y) / σ) / σ, backwards through the run."""
        back = (self.model.linearize(x, w).adjoint(torch.tanh(d / s) / s) for w, d, s in self._departures(x))
        return sum(back, torch.zeros_like(x))

    def _departures(self, x: Tensor) -> Iterator[tuple[Interval, Tensor, Tensor]]:
        for window in self.windows:
            seen = self.observed[window]
            if seen.covariance is not None:
                yield window, self.model(x, window).detach() - seen.y, seen.covariance.diagonal().sqrt()


def slope(assembly: Assembly) -> float:
    """Return the slope of log |J(x + h d) - J(x) - h <∇J, d>| over log h, by least squares; 2 is right."""
    cost, generator = Cost(assembly), torch.Generator().manual_seed(SEED)
    prior = cost.model.control.prior
    # beside the prior, so that nothing is special about the place
    x, d = (0.1 * torch.randn(prior.shape, generator=generator, dtype=torch.float64) for _ in range(2))
    x = prior + x
    here, along = cost(x), float(cost.gradient(x) @ d)
    remainders = [abs(cost(x + h * d) - here - h * along) for h in STEPS]
    found, _ = np.polyfit([log(h) for h in STEPS], [log(r) for r in remainders], 1)
    return float(found)


# ---------------------------------------------------------------------- budget and ranks
def budget() -> dict[str, Any]:
    """Return the largest residual of any exchange and period, and whether files of all ranks are the same."""
    with TemporaryDirectory() as folder:
        ranks = (1, *(RANKS if can_launch() else ()))
        files = {(name, n): run(Path(folder) / f"{name}_{n}.nc", name, n) for name in RUN_AS for n in ranks}
        same = all(same_numbers(files[name, 1], files[name, n]) for name in RUN_AS for n in ranks)
        return {
            "ledger_residual_max": max(residual(file) for file in files.values()),
            "ledger_entries": entries(files["reference", 1]),
            "rank_identical": int(same) if len(ranks) > 1 else None,
            "ranks": max(ranks),
        }


def run(file: Path, run_as: str, ranks: int = 1) -> Path:
    """Run the example forward on some ranks; return the file that it writes."""
    python(command(file, [f"components.transport.run_as={run_as}"]), ranks)
    return file


def command(file: Path, settings: Sequence[str] = ()) -> list[str]:
    """Return Python's arguments for a forward run that writes `file`."""
    words = [word for setting in (*settings, f"output.file={file}") for word in ("--set", setting)]
    return ["-m", "tradewind", "run", str(examples() / CONFIG), "--json", *words]


def residual(file: Path) -> float:
    """Return the largest residual in a file's ledger, relative to what left."""
    return float(np.nanmax(np.abs(_ledger(file)["residual"])))


def entries(file: Path) -> int:
    """Return how many entries a file's ledger has."""
    return int(np.isfinite(_ledger(file)["residual"]).sum())


def _ledger(file: Path) -> Mapping[str, np.ndarray]:
    import xarray as xr

    with xr.open_dataset(file, decode_cf=False) as ds:
        return {"residual": ds["ledger_residual"].values}
