"""What a run hands to its outputs: the posterior, the fields it stands for, and who answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from tradewind.budget import Budget
from tradewind.couplers.assimilation import Departures, ObservationsByWindow, Posterior
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Variable
from tradewind.output.asked import Matrices

if TYPE_CHECKING:
    from tradewind.couplers.coupling.time.calendars import Time
    from tradewind.couplers.grids import Grid
    from tradewind.findings.aggregates import Aggregates
    from tradewind.findings.dropped import Dropped
    from tradewind.findings.plumes import Examples


@dataclass(frozen=True)
class CallRecord:
    """How often a plugin answered for a component, and how long that took.

    Attributes
    ----------
    what
        ``step`` or ``linearize``.
    calls
        Number of hook calls that the plugin answered, over all ranks.
    columns
        Columns of the Jacobian (linearize) or members (step) that it answered.
    seconds
        Wall-clock seconds, summed over ranks.
    note
        What a policy has to say, such as the guard's rejected columns or the shadow's difference.
    """

    component: str
    plugin: str
    what: str
    calls: int
    columns: int
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Totals:
    """The total of a controlled field over its area, in `units`, with one-sigma errors; NaN: not known."""

    prior: float
    prior_sigma: float
    posterior: float
    posterior_sigma: float
    units: str = "Tg yr-1"


@dataclass(frozen=True)
class ControlledField:
    """One field that x stands for, before and after; of periods, the mean over them.

    Attributes
    ----------
    port
        The ``component.variable`` that x sets.
    variable
        Its units, and its axes before the cells.
    grid
        None where the field belongs to no place: its axes are then those of `variable` alone.
    prior, posterior
        Shape ``(*extra, cell)``.
    prior_sigma
        One-sigma error of the prior, of the same shape, linearised.
    sigma
        That of the posterior, from its covariance or else its members; None where the method gives neither.
    sensitivity
        Diagonal of the averaging kernel, spread to the cells, of the same shape; NaN where a cell belongs
        to no element. None where the method gives no kernel.
    dofs
        The cells' parts of the degrees of freedom for signal, of the same shape: their sum is the field's.
        None where the method gives no kernel.
    element
        Position in x of each cell's element (of the first period), int64, of the same shape; -1 for none.
    totals
        Over the area; None where that has no meaning: a state variable, extra axes, or no grid.
    """

    port: str
    variable: Variable
    grid: Grid | None
    prior: Tensor
    posterior: Tensor
    prior_sigma: Tensor
    element: Tensor
    sigma: Tensor | None = None
    sensitivity: Tensor | None = None
    dofs: Tensor | None = None
    totals: Totals | None = None

    @property
    def units(self) -> str:
        """Units of the field."""
        return self.variable.units


@dataclass(frozen=True)
class InversionResult:
    """Everything that `posterior.nc`, the report, the table and ``--json`` show.

    Attributes
    ----------
    name
        Name of the run (the config file's stem).
    fields
        What x stands for, in the order of the control's targets; at least one.
    posterior
        In x, as the control has it (a factor, its logarithm, a difference, ...).
    prior, prior_sigma
        xA and its standard errors, shape ``(n,)``.
    elements
        Name of each element of x.
    observations
        By window, gathered from all ranks in time order, with ``posterior.simulated`` beside them.
    rejected
        Those that were not used, by window, with the reasons.
    dropped
        What never came as far as a window, counted by stream and reason.
    aggregates
        Totals by sector and region; None where no mass flux is controlled.
    examples
        A plume and a footprint.
    matrices
        Whether the file holds matrices of all elements.
    provenance
        Versions, hashes, seeds, config text: plain strings and numbers.
    """

    name: str
    fields: Sequence[ControlledField]
    posterior: Posterior
    prior: Tensor
    prior_sigma: Tensor
    observations: ObservationsByWindow
    windows: Sequence[Interval]
    calls: Sequence[CallRecord]
    elements: Sequence[str] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    rejected: Mapping[Interval, Departures] = field(default_factory=dict)
    dropped: Sequence[Dropped] = ()
    aggregates: Aggregates | None = None
    examples: Examples | None = None
    matrices: Matrices = Matrices.WRITTEN

    @property
    def target(self) -> str:
        """What is controlled, in words: every ``component.variable``."""
        return ", ".join(each.port for each in self.fields)

    @property
    def sigma(self) -> Tensor | None:
        """Standard errors of the posterior of x, shape ``(n,)``; None where the method gives none."""
        return sigma_of(self.posterior)

    # ------------------------------------------------------------------ of the first field
    @property
    def field_units(self) -> str:
        """Units of the first field."""
        return self.fields[0].units

    @property
    def grid(self) -> Grid | None:
        """Grid of the first field."""
        return self.fields[0].grid

    @property
    def prior_field(self) -> Tensor:
        """The first field before."""
        return self.fields[0].prior

    @property
    def posterior_field(self) -> Tensor:
        """The first field after."""
        return self.fields[0].posterior

    @property
    def posterior_sigma(self) -> Tensor | None:
        """One-sigma error of the first field after."""
        return self.fields[0].sigma

    @property
    def sensitivity(self) -> Tensor | None:
        """Diagonal of the averaging kernel in the cells of the first field."""
        return self.fields[0].sensitivity

    @property
    def cluster(self) -> Tensor:
        """Element of each cell of the first field."""
        return self.fields[0].element

    @property
    def totals(self) -> Totals | None:
        """Totals of the first field."""
        return self.fields[0].totals


def sigma_of(posterior: Posterior) -> Tensor | None:
    """Return standard errors of x from the covariance, or else of the members (N - 1), shape ``(n,)``."""
    if posterior.covariance is not None:
        return posterior.covariance.diagonal().sqrt()
    if posterior.members is not None and len(posterior.members) > 1:
        return posterior.members.std(dim=0)
    return None


@dataclass(frozen=True)
class Analysed:
    """A field, or the elements of a control, of an ensemble around its analyses.

    Attributes
    ----------
    port
        The ``component.variable``.
    names
        Of the elements, where these are elements of a control and not cells; else empty.
    times
        Of the analyses, in order.
    forecast, analysis
        Means of the members before and after, shape ``(time, *extra, cell)``.
    forecast_spread, analysis_spread
        Standard deviations of the members (N - 1), as analysed and inflated, of the same shape.
    """

    port: str
    variable: Variable
    grid: Grid | None
    names: Sequence[str]
    times: Sequence[Time]
    forecast: Tensor
    analysis: Tensor
    forecast_spread: Tensor
    analysis_spread: Tensor


@dataclass(frozen=True)
class AssimilationResult:
    """Everything that the loop of a filter gives to its file, its report, its table and ``--json``.

    Attributes
    ----------
    name
        Name of the run (the config file's stem).
    method
        Name of the filter.
    windows
        One analysis at the end of each.
    departures
        By window, in order: the observations and what was made of them.
    fields
        What was analysed.
    members
        The last analysis, by port, shape ``(member, *extra, cell)``; elements of a control as they are in x.
    seconds
        Wall-clock seconds by part of the loop (forecast, analysis, ...), summed over ranks.
    """

    name: str
    method: str
    windows: Sequence[Interval]
    departures: Sequence[Departures]
    fields: Sequence[Analysed]
    members: Mapping[str, Tensor]
    seconds: Mapping[str, float] = field(default_factory=dict)
    calls: Sequence[CallRecord] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class FieldSeries:
    """A variable of a component at the times that the output asks for.

    Attributes
    ----------
    port
        Its ``component.variable``.
    times
        Ends of the steps after which it was read, in order.
    values
        Shape ``(time, *extra, cell)``.
    """

    port: str
    variable: Variable
    times: Sequence[Time]
    values: Tensor


@dataclass(frozen=True)
class SimulationResult:
    """Everything that a forward run gives to its file, its table and ``--json``.

    Attributes
    ----------
    name
        Name of the run (the config file's stem).
    windows
        Each was run from the components' initial state.
    budgets
        By exchange, in the declared order: its ledger.
    observations
        By window; empty where the config has none.
    simulated
        What the run says of them, by window, shape ``(m,)``.
    fields
        Those that the config asks for.
    resumed
        Windows that were finished, or begun, in an earlier run.
    """

    name: str
    windows: Sequence[Interval]
    budgets: Sequence[Budget]
    observations: ObservationsByWindow = field(default_factory=dict)
    simulated: Mapping[Interval, Tensor] = field(default_factory=dict)
    fields: Sequence[FieldSeries] = ()
    calls: Sequence[CallRecord] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    resumed: int = 0
