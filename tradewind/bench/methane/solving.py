"""Products against a stored K, a month with 243 elements, 10 000 elements, and the bits on ranks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.bench.checkout import can_launch, examples, python
from tradewind.bench.inversion.permian import same_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.assimilation import Posterior, Progress

    Array = NDArray[np.float64]

RANKS = (2, 3, 4)
FULL = ("solve.options.form=low-rank", "solve.options.rank=1000000")
"""Settings of the low-rank form with all of its directions."""
SETTINGS = (
    "components.transport.run_as=surrogate",
    "solve.options.gamma=auto",
    "solve.options.ensemble={prior_error: [0.5, 1, 2], observation_error: [0.8, 1.25]}",
)


def figures(progress: Progress) -> dict[str, Any]:
    """Return all figures as one flat object."""
    parts: tuple[Callable[[], dict[str, Any]], ...] = (
        lambda: {"streamed_error": streamed_error()},
        lambda: {"rank_identical": rank_identical()},
        month,
        large,
    )
    found: dict[str, Any] = {}
    step = progress("solving", len(parts))
    for part in parts:
        found |= part()
        step()
    return found


# ---------------------------------------------------------------------- streamed and stored
def streamed_error() -> float:
    """Return how far means and covariances from products are from those of the stored K, relatively.

    K of all windows of the Permian example is stored and solved at once with numpy; the gain form and the
    low-rank form with all directions are compared, too. Each difference is over the largest entry.
    """
    streamed = _solved("solve.options.keep_jacobian=true", "solve.options.batch=64")
    others = [_stored(), _of(_solved("solve.options.form=gain")), _of(_solved(*FULL))]
    return max(_apart(_of(streamed), other) for other in others)


def _solved(*settings: str) -> Posterior:
    from tradewind.assembly import assemble
    from tradewind.execute import invert

    chosen = ["components.transport.run_as=surrogate", *settings]
    return invert(assemble(examples() / "permian.yaml", chosen)).posterior


def _of(posterior: Posterior) -> tuple[Array, Array]:
    if posterior.covariance is None:
        raise TypeError("the posterior has no covariance")
    return posterior.mean.numpy(), posterior.covariance.numpy()


def _stored() -> tuple[Array, Array]:
    """Return mean and covariance from all of K at once: inverses by numpy, no products by batches."""
    import torch

    from tradewind.assembly import assemble

    assembly = assemble(examples() / "permian.yaml", ["components.transport.run_as=surrogate"])
    model = assembly.model()
    x, observed = model.control.prior, model.observe.windows(assembly.windows)
    units = torch.eye(len(x), dtype=torch.float64)
    rows, misfits, variances = [], [], []
    for window, seen in observed.items():
        if len(seen) and seen.covariance is not None:
            rows.append(model.linearize(x, window).forward(units).numpy().T)
            misfits.append((seen.y - model(x, window)).detach().numpy())
            variances.append(seen.covariance.diagonal().numpy())
    k, d, r = np.concatenate(rows), np.concatenate(misfits), np.concatenate(variances)
    prior = model.control.covariance.apply(units).numpy()
    covariance = np.linalg.inv(k.T @ (k / r[:, None]) + np.linalg.inv(prior))
    return x.numpy() + covariance @ (k.T @ (d / r)), covariance


def _apart(one: tuple[Array, Array], other: tuple[Array, Array]) -> float:
    pairs = zip(one, other, strict=True)
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


# ---------------------------------------------------------------------- ranks
def rank_identical() -> int | None:
    """Return 1 when posterior.nc has the same bits on 1 to 4 ranks, else 0; None without MPI."""
    if not can_launch():
        return None
    with TemporaryDirectory() as folder:
        files = [_run(Path(folder) / f"{ranks}.nc", ranks) for ranks in (1, *RANKS)]
        return int(all(same_numbers(files[0], other) for other in files[1:]))


def _run(file: Path, ranks: int) -> Path:
    settings = (*SETTINGS, f"output.file={file}", f"output.report={file}.html")
    options = [word for setting in settings for word in ("--set", setting)]
    python(["-m", "tradewind", "run", str(examples() / "permian.yaml"), "--json", *options], ranks)
    return file


# ---------------------------------------------------------------------- large problems
def large() -> dict[str, Any]:
    """Return memory, seconds and what else of 10 000 elements and a million soundings, in a child process."""
    found: dict[str, Any] = json.loads(python(["-m", "tradewind.bench.methane.large"]))
    return found


def month() -> dict[str, Any]:
    """Return the seconds of a month with 243 elements, and what they go into."""
    from tradewind.bench.methane.month import build

    with TemporaryDirectory() as folder:
        return timed(build(Path(folder)))


def timed(config: Path) -> dict[str, Any]:
    """Return the seconds of the run of a config by this process, and what they go into."""
    from tradewind.assembly import assemble
    from tradewind.execute import invert

    phases, begin = Phases(), perf_counter()
    assembly = assemble(config)
    built = perf_counter()
    found = invert(assembly, phases).posterior
    end = perf_counter()
    linearized, simulated = phases.spans["linearize"], phases.spans["simulate posterior"]
    return {
        "solve_243_seconds": end - begin,
        "solve_243_seconds_assemble": built - begin,
        "solve_243_seconds_observations": linearized[0] - built,
        "solve_243_seconds_jacobian": linearized[1] - linearized[0],
        "solve_243_seconds_solution": simulated[0] - linearized[1],
        "solve_243_seconds_simulation": simulated[1] - simulated[0],
        "solve_243_elements": found.details["elements"],
        "solve_243_observations": found.details["observations"],
        "solve_243_windows": phases.lengths["linearize"],
        "solve_243_dofs": found.dofs,
    }  # fmt: skip


class Phases:
    """A progress that shows nothing, and tells when each phase began and last went on."""

    def __init__(self) -> None:
        self.spans: dict[str, tuple[float, float]] = {}
        self.lengths: dict[str, int] = {}

    def __call__(self, name: str, length: int) -> Callable[[], None]:
        """Begin a phase."""
        begin = perf_counter()
        self.spans[name], self.lengths[name] = (begin, begin), length

        def advance() -> None:
            self.spans[name] = (begin, perf_counter())

        return advance
