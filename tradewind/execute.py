"""``tradewind run``: from a run config to a posterior, or to what its models simulate, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from tradewind.accounts import call_records, origin
from tradewind.assembly import Assembly, assemble
from tradewind.assembly.estimation.screening import screened
from tradewind.assimilation import assimilate
from tradewind.coupled.model import CoupledModel
from tradewind.couplers.assimilation import Posterior, Progress
from tradewind.errors import ConfigError
from tradewind.findings.aggregates import aggregates
from tradewind.findings.controlled import controlled_fields
from tradewind.findings.dropped import dropped
from tradewind.findings.jacobians import write_jacobian
from tradewind.findings.plumes import Examples, examples
from tradewind.findings.regions import Regions
from tradewind.output.asked import Shown
from tradewind.output.writing import write_outputs
from tradewind.results import AssimilationResult, InversionResult, SimulationResult
from tradewind.simulation import Begin, simulate_assembled


def execute(
    path: Path | str,
    overrides: Sequence[str] = (),
    comm: object | None = None,
    progress: Progress | None = None,
    begin: Begin = Begin.ANEW,
) -> InversionResult | AssimilationResult | SimulationResult:
    """Run a config and write what it names under ``output:``.

    With a solver under ``solve:`` it is an inversion, with a filter the loop of an ensemble, see
    `tradewind.assimilation`; without, its models are run forward, see `tradewind.simulation`.

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
) -> InversionResult | AssimilationResult | SimulationResult:
    if assembly.config.solve is None:
        return simulate_assembled(assembly, progress, begin)
    if begin is Begin.RESUME:
        hint, what = "leave out --resume, or solve:", "an assimilation has no restart files"
        raise ConfigError(what, where="--resume", hint=hint)
    if assembly.filter is not None:
        return assimilate(assembly, progress)
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
    model, rejected = screened(assembly, model)
    observations = model.observe.windows(assembly.windows)
    posterior = solver.solve(model, assembly.control, observations)
    if assembly.config.output.jacobian is not None:
        write_jacobian(model, assembly.config.output.jacobian)
    return replace(
        summarised(assembly, model, posterior),
        rejected=rejected,
        examples=_examples(assembly, model, posterior),
    )


def _examples(assembly: Assembly, model: CoupledModel, posterior: Posterior) -> Examples | None:
    """Return a plume and a footprint where a file shows them, and the method has linearized the model too."""
    output = assembly.config.output
    if output.examples is Shown.NONE or not (output.file or output.report):
        return None
    if assembly.solver is None or not assembly.solver.needs_gradient:
        return None
    return examples(assembly, model, posterior)


def summarised(assembly: Assembly, model: CoupledModel, posterior: Posterior) -> InversionResult:
    """Return everything that the outputs show, whatever the posterior lacks."""
    control, observe = model.control, model.observe
    regions = Regions(assembly.config.output.regions)
    return InversionResult(
        name=assembly.config.source.file.stem,
        fields=tuple(controlled_fields(control, posterior, assembly.variable, assembly.parameters)),
        posterior=posterior,
        prior=control.prior,
        prior_sigma=control.covariance.diagonal().sqrt(),
        elements=tuple(getattr(control, "names", ())),
        observations=observe.windows(assembly.windows),
        windows=assembly.windows,
        calls=tuple(call_records(assembly, model.calls)),
        provenance=origin(assembly),
        dropped=tuple(dropped(observe)),
        matrices=assembly.config.output.matrices,
        aggregates=aggregates(control, posterior, assembly.variable, regions),
        notes=(*assembly.notes, *posterior.details.get("notes", ())),
    )
