"""The output files of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.couplers.ranks.parallel import agree
from tradewind.output.files import check_writable
from tradewind.output.netcdf.inversion import write_posterior
from tradewind.output.netcdf.simulation import write_simulation
from tradewind.output.report.inversion import write_report
from tradewind.results import SimulationResult

if TYPE_CHECKING:
    from tradewind.couplers.ranks.parallel import Communicator
    from tradewind.results import InversionResult


def write_outputs(
    result: InversionResult | SimulationResult,
    comm: Communicator,
    file: Path | None = None,
    report: Path | None = None,
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
    paths = tuple(Path(p) for p in (file, report) if p is not None)
    with agree(comm, "writing the outputs"):
        if comm.rank == 0:
            for path in paths:
                check_writable(path)
            _write(result, file, report)
    return paths


def _write(result: InversionResult | SimulationResult, file: Path | None, report: Path | None) -> None:
    if isinstance(result, SimulationResult):
        if file is not None:
            write_simulation(result, Path(file))
        return
    if file is not None:
        write_posterior(result, Path(file))
    if report is not None:
        write_report(result, Path(report))
