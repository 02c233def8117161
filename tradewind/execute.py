"""``tradewind run``: from a run config to a posterior, or to what its models simulate, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from tradewind.accounts import call_records, origin
from tradewind.assembly import Assembly, assemble
from tradewind.budget import EARTH_RADIUS
from tradewind.coupled.model import CoupledModel
from tradewind.couplers.assimilation import Posterior, Progress
from tradewind.couplers.assimilation.control import ScaledField
from tradewind.couplers.coupling.units import convertible, factor
from tradewind.errors import ConfigError
from tradewind.output.writing import write_outputs
from tradewind.results import InversionResult, SimulationResult, Totals
from tradewind.simulation import Begin, simulate_assembled

SECONDS_PER_YEAR = 365.25 * 86400.0
TG = 1e9
"""Kilograms in a teragram."""
MASS_FLUX = "kg m-2 s-1"


def execute(
    path: Path | str,
    overrides: Sequence[str] = (),
    comm: object | None = None,
    progress: Progress | None = None,
    begin: Begin = Begin.ANEW,
) -> InversionResult | SimulationResult:
    """Run a config and write what it names under ``output:``; with ``solve:`` it is an inversion.

    Without, its models are run forward, see `tradewind.simulation`.

    Parameters
    ----------
    path
        The run config.
    overrides
        Settings that replace those of the file, such as ``"components.transport.run_as=reference"``.
    comm
        mpi4py communicator; None: serial. Every rank gets the same result, rank 0 writes.
    progress
        Starts progress bars.
    begin
        Whether a forward run goes on from its restart files.

    Raises
    ------
    ConfigError
        With every fault of the config, before anything runs; when an inversion should go on.
    LedgerError
        When an exchange has lost or made more than its tolerance.
    TradewindError
        Whatever stops the run; no output is then left half-written.
    """
    assembly = assemble(path, overrides, comm)
    if assembly.config.run.threads is not None:
        torch.set_num_threads(assembly.config.run.threads)
    output = assembly.config.output
    try:
        result = _result(assembly, progress, begin)
    finally:
        assembly.finalize()
    write_outputs(result, assembly.comm, output.file, output.report)
    return result


def _result(
    assembly: Assembly, progress: Progress | None, begin: Begin
) -> InversionResult | SimulationResult:
    if assembly.config.solve is None:
        return simulate_assembled(assembly, progress, begin)
    if begin is Begin.RESUME:
        hint = "leave out --resume, or solve:"
        raise ConfigError("an inversion has no restart files", where="--resume", hint=hint)
    return invert(assembly, progress)


@runtime_checkable
class ShowsProgress(Protocol):
    """A solver that can show how far it is."""

    progress: Progress


def invert(assembly: Assembly, progress: Progress | None = None) -> InversionResult:
    """Solve the inversion that `assembly` describes; writes nothing.

    Raises
    ------
    ConfigError
        When the config has no ``solve:``.
    """
    model, solver = assembly.model(), assembly.solver
    if solver is None or assembly.observe is None or assembly.control is None:
        raise ConfigError("nothing to solve", where=str(assembly.config.source.file), hint="add solve:")
    if progress is not None and isinstance(solver, ShowsProgress):
        solver.progress = progress
    observations = assembly.observe.windows(assembly.windows)
    posterior = solver.solve(model, assembly.control, observations)
    return summarised(assembly, model, posterior)


def summarised(assembly: Assembly, model: CoupledModel, posterior: Posterior) -> InversionResult:
    """Return everything that the outputs show."""
    control, observe = model.control, model.observe
    if not isinstance(control, ScaledField):
        raise ConfigError(f"outputs of a {type(control).__name__} are not known", where="control")
    target = control.target.partition(".")[2]
    member = assembly.members[control.target.partition(".")[0]]
    units, fields = member.spec.variable("parameters", target).units, Spread(control)
    sigma = _covariance(posterior).diagonal()
    return InversionResult(
        name=assembly.config.source.file.stem,
        target=control.target,
        field_units=units,
        grid=control.layout.grid,
        posterior=posterior,
        prior=control.prior,
        prior_sigma=control.covariance.diagonal().sqrt(),
        prior_field=fields.field(control.prior),
        posterior_field=fields.field(posterior.mean),
        posterior_sigma=fields.field(sigma.sqrt()),
        sensitivity=fields.spread(_kernel(posterior).diagonal()),
        cluster=control.labels,
        totals=totals(control, posterior, units),
        observations=observe.windows(assembly.windows),
        windows=assembly.windows,
        calls=tuple(call_records(assembly, model.calls)),
        provenance=origin(assembly),
        notes=tuple(assembly.notes),
    )


class Spread:
    """Brings control elements to the whole grid's cells.

    Parameters
    ----------
    control
        The control.
    """

    def __init__(self, control: ScaledField) -> None:
        self.control = control

    def field(self, x: Tensor) -> Tensor:
        """Return the field that `x` stands for, shape ``(n_global,)``."""
        return self.control.layout.gather(self.control.to_fields(x)[self.control.target])

    def spread(self, x: Tensor) -> Tensor:
        """Return each element's value in its cells, NaN where a cell has none, shape ``(n_global,)``."""
        padded = torch.cat([x, x.new_full((1,), torch.nan)])
        return padded[self.control.labels]


def _covariance(posterior: Posterior) -> Tensor:
    if posterior.covariance is None:
        raise ConfigError("the method gives no covariance", where="solve")
    return posterior.covariance


def _kernel(posterior: Posterior) -> Tensor:
    if posterior.averaging_kernel is None:
        raise ConfigError("the method gives no averaging kernel", where="solve")
    return posterior.averaging_kernel


def totals(control: ScaledField, posterior: Posterior, units: str) -> Totals:
    """Return the total of a field in `units` over its area, with errors from the covariances.

    Of a mass flux it is in Tg a year, of anything else (a factor on a prescribed flux) in `units` times m2.
    """
    weights = total_weights(control, units)
    spread = _covariance(posterior)
    return Totals(
        prior=float(weights @ control.prior),
        prior_sigma=float((weights @ control.covariance.apply(weights)).sqrt()),
        posterior=float(weights @ posterior.mean),
        posterior_sigma=float((weights @ spread @ weights).sqrt()),
        units="Tg yr-1" if convertible(units, MASS_FLUX) else " ".join((units, "m2")).removeprefix("1 "),
    )


def total_weights(control: ScaledField, units: str) -> Tensor:
    """Return what each element's prior adds to the total, shape ``(n,)``: the total is ``w · x``.

    Parameters
    ----------
    units
        Units of the field.
    """
    area = control.layout.scatter(torch.from_numpy(control.layout.grid.area)) * EARTH_RADIUS**2
    flux = convertible(units, MASS_FLUX)
    times = factor(units, MASS_FLUX) * SECONDS_PER_YEAR / TG if flux else 1.0
    return control.linearize(control.prior).adjoint(area * times)
