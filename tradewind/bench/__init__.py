"""Benchmarks that recompute the figures of the docs: ``tradewind bench NAME --json``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tradewind.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Progress

BENCHMARKS = {
    "permian": "tradewind.bench.inversion.permian:figures",
    "assimilation": "tradewind.bench.assimilation.assimilation:figures",
    "exchange": "tradewind.bench.exchange.exchange:figures",
    "fortran": "tradewind.bench.fortran.fortran:figures",
    "regrid": "tradewind.bench.regridding.regrid:figures",
    "methane": "tradewind.bench.methane.methane:figures",
    "misfits": "tradewind.bench.regridding.misfits:figures",
    "misuse": "tradewind.bench.regridding.misuse:figures",
}
"""Names of the benchmarks and the functions that compute their figures."""


def run(name: str, progress: Progress | None = None) -> dict[str, Any]:
    """Compute the figures of benchmark `name` on the spot, as one flat object.

    Raises
    ------
    ConfigError
        When no benchmark has that name.
    """
    if name not in BENCHMARKS:
        raise ConfigError(f"no benchmark is called {name!r}", hint=did_you_mean(name, BENCHMARKS))
    module, _, function = BENCHMARKS[name].partition(":")
    compute: Callable[[Progress], dict[str, Any]] = getattr(import_module(module), function)
    return compute(progress or _silent) | conditions()


def conditions() -> dict[str, Any]:
    """Return where and with what the figures were made."""
    from tradewind.provenance import commit, cores, torch_threads, versions

    return {
        "commit": commit(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": cores(),
        "threads": torch_threads(),
        "versions": versions(),
    }


def _silent(name: str, length: int) -> Callable[[], None]:
    return lambda: None
