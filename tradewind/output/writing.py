"""The output files of a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tradewind.couplers.ranks.parallel import agree
from tradewind.output.files import check_writable
from tradewind.output.netcdf.assimilation import write_assimilation
from tradewind.output.netcdf.inversion import write_posterior
from tradewind.output.netcdf.simulation import write_simulation
from tradewind.output.report.assimilation import write_assimilation_report
from tradewind.output.report.inversion import write_report
from tradewind.results import AssimilationResult, SimulationResult

if TYPE_CHECKING:
    from tradewind.couplers.ranks.parallel import Communicator
    from tradewind.results import InversionResult

    Result: TypeAlias = InversionResult | SimulationResult | AssimilationResult


def write_outputs(
    result: Result, comm: Communicator, file: Path | None = None, report: Path | None = None
) -> tuple[Path, ...]:
    """Write `file` (netCDF) and `report` (HTML) on rank 0, those that are given; every rank enters.

    A forward run has no report.

    Returns
    -------
    The paths written, on every rank.

    Raises
    ------
    DataError
        When a file cannot be written; no half-written file is left, and the ranks fail together.
    """
    report = None if isinstance(result, SimulationResult) else report
    jobs = [(Path(path), write) for path, write in zip((file, report), _writers(result), strict=True) if path]
    with agree(comm, "writing the outputs"):
        if comm.rank == 0:
            for path, _ in jobs:
                check_writable(path)
            for path, write in jobs:
                write(path)
    return tuple(path for path, _ in jobs)


def _writers(result: Result) -> tuple[Callable[[Path], None], Callable[[Path], None]]:
    """Return what writes the file, and the report."""
    if isinstance(result, SimulationResult):
        return partial(write_simulation, result), lambda _: None
    if isinstance(result, AssimilationResult):
        return lambda path: write_assimilation(result, path), lambda path: write_assimilation_report(
            result, path
        )
    return lambda path: write_posterior(result, path), lambda path: write_report(result, path)
