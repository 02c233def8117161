"""``tradewind bench assimilation``: every figure of the assimilation loops, recomputed on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tradewind.bench.checkout import launcher, reference
from tradewind.errors import DataError

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Progress

RANKS = (1, 2, 3, 4)


def figures(progress: Progress) -> dict[str, Any]:
    """Return all figures as one flat object.

    Raises
    ------
    DataError
        When the answers of PDAF, OOPS and DAPPER, DAPPER itself or an MPI are not here.
    """
    from tradewind.bench.assimilation import dapper, oops, scaling, swap

    folder = reference()
    if folder is None:
        hint = "set TRADEWIND_SHARED to the folder that holds `reference`"
        raise DataError("no reference data", where="bench assimilation", hint=hint)
    parts: tuple[Callable[[], dict[str, Any]], ...] = (
        lambda: pdaf_figures(folder), lambda: oops.figures(folder), equivalences,
        lambda: dapper.figures(folder), swap.figures, scaling.figures,
    )  # fmt: skip
    found: dict[str, Any] = {}
    step = progress("benchmark assimilation", len(parts))
    for part in parts:
        found |= part()
        step()
    identical = found["pdaf_rank_identical"] and found["letkf_1m_rank_identical"]
    return found | {"rank_identical": int(identical)}


def pdaf_figures(folder: Path) -> dict[str, Any]:
    """Return errors against PDAF: single analyses, and its online cases whole, on 1-4 ranks."""
    from tradewind.bench.assimilation import online, pdaf

    file = folder / "pdaf" / "pdaf_18x36.nc"
    single = max(pdaf.error(case) for case in pdaf.cases(folder / "pdaf"))
    with TemporaryDirectory() as work:
        whole = online.compare(Path(work), file, RANKS, launcher(1)[0])
    return {
        "pdaf_error_max": max(single, whole["error_max"]),
        "pdaf_error_analyses": single,
        "pdaf_error_online": whole["error_max"],
        "pdaf_rank_identical": int(whole["rank_identical"]),
    }


def equivalences() -> dict[str, Any]:
    """Return how far methods part that must agree for linear models with normal errors."""
    from tradewind.bench.assimilation import recursion

    exact = recursion.errors()
    found: dict[str, Any] = {f"equivalence_{name}": error for name, error in exact.items()}
    found |= {f"equivalence_{name}": error for name, error in recursion.sampled_errors().items()}
    return found | {"equivalence_error_max": max(exact.values())}
