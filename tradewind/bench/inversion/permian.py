"""``tradewind bench permian``: every figure of the first example, recomputed on the spot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tradewind.bench.checkout import can_launch, examples, python

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Progress

RUN_AS = ("reference", "surrogate", "guarded", "shadow")
RANKS = (2, 3)
IMPORTS = 5


def figures(progress: Progress) -> dict[str, Any]:
    """Return all figures as one flat object."""
    from tradewind.bench.inversion import jacobian, networks, operators

    parts = (
        networks.scores, lambda _: inversions(), lambda _: jacobian.speedups(), lambda _: operators.figures(),
        lambda _: {"import_seconds": import_seconds(), "rank_identical": rank_identical()},
    )  # fmt: skip
    found: dict[str, Any] = {}
    step = progress("benchmark permian", len(parts))
    for part in parts:
        found |= part(progress)
        step()
    return found


def inversions() -> dict[str, Any]:
    """Return the totals of the same file run in the four ways, and how far surrogate and reference part."""
    from tradewind.assembly import assemble
    from tradewind.execute import invert

    results = {
        run_as: invert(assemble(examples() / "permian.yaml", [f"components.transport.run_as={run_as}"]))
        for run_as in RUN_AS
    }
    totals = {name: r.totals for name, r in results.items() if r.totals is not None}
    total = {name: t.posterior for name, t in totals.items()}
    prior, gap = totals["reference"].prior, total["surrogate"] - total["reference"]
    found: dict[str, Any] = {f"posterior_total_{name}": value for name, value in total.items()}
    found |= {f"posterior_sigma_{name}": t.posterior_sigma for name, t in totals.items()}
    return found | {
        "posterior_total_ratio": total["surrogate"] / total["reference"],
        "prior_total": prior,
        "true_total": true_total(),
        "dofs": results["reference"].posterior.dofs,
        "dofs_surrogate": results["surrogate"].posterior.dofs,
        "difference_over_increment": abs(gap) / abs(total["reference"] - prior),
        "increment_over_prior": (total["reference"] - prior) / prior,
    }


def true_total() -> float:
    """Return the total of the twin's true emissions, Tg a year."""
    import xarray as xr

    from tradewind.budget import EARTH_RADIUS
    from tradewind.couplers.grids import Grid
    from tradewind.findings.controlled import SECONDS_PER_YEAR, TG

    with xr.open_dataset(examples() / "permian_truth.nc") as ds:
        area = Grid.from_dataset(ds).area * EARTH_RADIUS**2
        return float((ds["methane_flux"].values.ravel() * area).sum() * SECONDS_PER_YEAR / TG)


def import_seconds() -> float:
    """Return the median seconds of ``import tradewind`` in a process of its own."""
    code = "import time; t = time.perf_counter(); import tradewind; print(time.perf_counter() - t)"
    return median(float(python(["-c", code])) for _ in range(IMPORTS))


def rank_identical() -> int | None:
    """Return 1 when posterior.nc has the same bits on 1, 2 and 3 ranks, else 0; None without MPI."""
    if not can_launch():
        return None
    with TemporaryDirectory() as folder:
        return int(all(_identical(Path(folder), run_as) for run_as in ("surrogate", "reference")))


def _identical(folder: Path, run_as: str) -> bool:
    files = [_run(folder / f"{run_as}_{ranks}.nc", run_as, ranks) for ranks in (1, *RANKS)]
    return all(same_numbers(files[0], other) for other in files[1:])


def _run(file: Path, run_as: str, ranks: int) -> Path:
    settings = (f"components.transport.run_as={run_as}", f"output.file={file}", f"output.report={file}.html")
    options = [word for setting in settings for word in ("--set", setting)]
    python(["-m", "tradewind", "run", str(examples() / "permian.yaml"), "--json", *options], ranks)
    return file


def same_numbers(file: Path, other: Path) -> bool:
    """Return whether two files hold the same variables with the same bits."""
    import xarray as xr

    with xr.open_dataset(file, decode_cf=False) as a, xr.open_dataset(other, decode_cf=False) as b:
        same_names = set(a.variables) == set(b.variables)
        return same_names and all(_bits(a, name) == _bits(b, name) for name in _names(a))


def _names(ds: Any) -> Iterator[str]:
    yield from (str(name) for name in ds.variables)


def _bits(ds: Any, name: str) -> bytes:
    bits: bytes = ds[name].values.tobytes()
    return bits
