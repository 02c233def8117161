"""``tradewind bench regrid``: every figure of regridding, recomputed on the spot.

What cannot be had here is null, and ``absent`` says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from tradewind.bench.regridding.reference import Reference
from tradewind.errors import TradewindError

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Progress

    Compute: TypeAlias = Callable[[Progress], dict[str, Any]]

NO_REFERENCE = "reference data: set TRADEWIND_SHARED to their folder"
NO_ESMPY = "esmpy: ratios to it are null"


@dataclass(frozen=True)
class Part:
    """Some of the figures.

    Attributes
    ----------
    keys
        Those that it computes at least; null where it cannot.
    compute
        Returns them.
    """

    keys: tuple[str, ...]
    compute: Compute


def figures(progress: Progress) -> dict[str, Any]:
    """Return all figures as one flat object."""
    made = parts()
    step = progress("benchmark regrid", len(made))
    found: dict[str, Any] = {}
    absent = [] if find_spec("esmpy") else [NO_ESMPY]
    for part in made:
        found |= dict.fromkeys(part.keys)
        try:
            found |= part.compute(progress)
        except TradewindError as error:
            absent.append(str(error))
        step()
    return found | {"absent": sorted(set(absent))}


def parts() -> tuple[Part, ...]:
    """Return all parts; each imports what it needs when it computes."""
    return (
        Part(
            (
                "parity_weight_error_max", "parity_weight_error_2nd_max", "parity_pattern_mismatches",
                "parity_cases", "apply_error_max",
            ),
            _parity,
        ),
        Part(
            ("misfit_excess_max", "misfit_excess_nearest_max", "conservation_max", "constant_max",
             "constant_patch_max"),
            _misfits,
        ),
        Part(("dot_test_max",), _dot_tests),
        Part(
            (
                "weights_speedup_conservative", "weights_speedup_bilinear", "weights_speedup_rotated",
                "apply_speedup_1", "apply_speedup_40", "bandwidth_fraction", "cache_speedup",
            ),
            _speed,
        ),
        Part(("misuse_cases", "misuse_caught"), _misuse),
        Part(("peak_gib_10m",), _memory),
    )  # fmt: skip


def _reference() -> Reference:
    found = Reference.found()
    if found is None:
        raise TradewindError(NO_REFERENCE)
    return found


def _parity(progress: Progress) -> dict[str, Any]:
    from tradewind.bench.regridding import parity

    return parity.figures(_reference(), progress)


def _misfits(progress: Progress) -> dict[str, Any]:
    from tradewind.bench.regridding import misfits

    return misfits.summary(_reference(), progress)


def _dot_tests(progress: Progress) -> dict[str, Any]:
    from tradewind.bench.regridding import adjoints

    return adjoints.figures(progress)


def _speed(progress: Progress) -> dict[str, Any]:
    from tradewind.bench.regridding import speed

    return speed.figures()


def _misuse(progress: Progress) -> dict[str, Any]:
    from tradewind.bench.regridding.misuse import caught
    from tradewind.bench.regridding.misuse_cases import CASES

    # what ESMPy makes of them takes longer: see the benchmark `misuse`
    return {"misuse_cases": len(CASES), "misuse_caught": sum(caught(case) for case in CASES)}


def _memory(progress: Progress) -> dict[str, Any]:
    from tradewind.bench.checkout import python

    return {"peak_gib_10m": float(python(["-m", "tradewind.bench.regridding.memory"]))}
