"""``tradewind run``: from a run config to a posterior, its files and its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from tradewind.assembly import Assembly, Member, assemble
from tradewind.config import RunAs
from tradewind.coupled.forward import CoupledModel
from tradewind.couplers.assimilation import Posterior, Progress
from tradewind.couplers.assimilation.control import ScaledField
from tradewind.couplers.assimilation.linearization import Count
from tradewind.couplers.coupling.units import factor
from tradewind.errors import ConfigError
from tradewind.output.writing import write_outputs
from tradewind.plugins.policies.shadow import Shadow
from tradewind.plugins.registry import Role, StandsIn
from tradewind.provenance import gather
from tradewind.results import CallRecord, InversionResult, Totals

EARTH_RADIUS = 6_371_000.0
SECONDS_PER_YEAR = 365.25 * 86400.0
TG = 1e9
"""Kilograms in a teragram."""


def execute(
    path: Path | str,
    overrides: Sequence[str] = (),
    comm: object | None = None,
    progress: Progress | None = None,
) -> InversionResult:
    """Run the inversion of a run config and write what it names under ``output:``.

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

    Raises
    ------
    ConfigError
        With every fault of the config, before anything runs.
    TradewindError
        Whatever stops the run; no output is then left half-written.
    """
    assembly = assemble(path, overrides, comm)
    if assembly.config.run.threads is not None:
        torch.set_num_threads(assembly.config.run.threads)
    output = assembly.config.output
    try:
        result = invert(assembly, progress)
    finally:
        assembly.finalize()
    write_outputs(result, assembly.comm, output.file, output.report)
    return result


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
        calls=tuple(call_records(assembly, model)),
        provenance=_provenance(assembly),
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
    """Return the total of a field in `units` over its area, Tg a year, with errors from the covariances."""
    weights = total_weights(control, units)
    spread = _covariance(posterior)
    return Totals(
        prior=float(weights @ control.prior),
        prior_sigma=float((weights @ control.covariance.apply(weights)).sqrt()),
        posterior=float(weights @ posterior.mean),
        posterior_sigma=float((weights @ spread @ weights).sqrt()),
    )


def total_weights(control: ScaledField, units: str) -> Tensor:
    """Return what each element's prior emits, Tg a year, shape ``(n,)``: the total is ``w · x``.

    Parameters
    ----------
    units
        Units of the field; those of a mass flux.

    Raises
    ------
    UnitsError
        When the field is no mass flux.
    """
    area = control.layout.scatter(torch.from_numpy(control.layout.grid.area)) * EARTH_RADIUS**2
    mass = factor(units, "kg m-2 s-1")
    return control.linearize(control.prior).adjoint(area * (mass * SECONDS_PER_YEAR / TG))


# ---------------------------------------------------------------------- who answered
def call_records(assembly: Assembly, model: CoupledModel) -> Iterator[CallRecord]:
    """Yield who answered what, summed over ranks, in the order of the components."""
    for name, member in assembly.members.items():
        yield from _steps(assembly, name, member)
        yield from _linearizations(assembly, name, member, model)


def _steps(assembly: Assembly, name: str, member: Member) -> Iterator[CallRecord]:
    for plugin, tally in assembly.callers[name].tally.items():
        if plugin == member.section.plugin or _stands_in_for(assembly, plugin) is StandsIn.STEP:
            count = Count(tally.calls, tally.calls, tally.seconds)
            yield from _record(assembly, name, plugin, "step", count)


def _stands_in_for(assembly: Assembly, surrogate: str) -> StandsIn | None:
    return assembly.manager.descriptor(Role.SURROGATE, surrogate).stands_in_for


def _linearizations(
    assembly: Assembly, name: str, member: Member, model: CoupledModel
) -> Iterator[CallRecord]:
    reference = model.calls.counts.get((name, "reference"))
    if member.section.run_as is not RunAs.SURROGATE:
        note, plugin = _note(member.policies), member.section.plugin
        yield from _record(assembly, name, plugin, "linearize", reference or Count(), note)
    if member.surrogate is not None:
        count = getattr(member.surrogate, "count", Count())
        yield from _record(assembly, name, str(member.section.surrogate), "linearize", count)


def _record(
    assembly: Assembly, component: str, plugin: str, what: str, count: Count, note: str = ""
) -> Iterator[CallRecord]:
    every = assembly.comm.allgather((count.calls, count.columns, count.seconds))
    calls, columns, seconds = (sum(part) for part in zip(*every, strict=True))
    if calls:
        yield CallRecord(component, plugin, what, int(calls), int(columns), float(seconds), note)


def _note(policies: Sequence[Any]) -> str:
    for part in policies:
        if isinstance(part.target, Shadow):
            return f"surrogate differs by {part.target.relative_difference:.1%} (root mean square)"
    return ""


def _provenance(assembly: Assembly) -> Mapping[str, Any]:
    file = assembly.config.source.file
    seen = {"observed": "observation", "observed_units": _observed_units(assembly), "control_units": "1"}
    return gather(config=file.read_text(), inputs=[file, *_inputs(assembly)]) | seen


def _observed_units(assembly: Assembly) -> str:
    component, _, variable = assembly.observe.observes.partition(".") if assembly.observe else ("", "", "")
    return assembly.members[component].spec.variable("exports", variable).units if component else ""


def _inputs(assembly: Assembly) -> Iterator[Path]:
    """Yield every file that the settings of a plugin in use name."""
    for member in assembly.members.values():
        used = [member.section.options]
        if member.surrogate is not None:
            used.append(member.section.surrogate_options)
        for options in used:
            yield from (p for p in dict(options).values() if isinstance(p, Path))
    if assembly.config.observations is not None:
        yield from (p for p in dict(assembly.config.observations.options).values() if isinstance(p, Path))
