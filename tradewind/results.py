"""What a run hands to its outputs: the posterior, the fields it stands for, and who answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from tradewind.couplers.assimilation import ObservationsByWindow, Posterior
from tradewind.couplers.coupling.component import Interval

if TYPE_CHECKING:
    from tradewind.couplers.grids import Grid


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
    """The total of the controlled field over its area, in `units`, with one-sigma errors."""

    prior: float
    prior_sigma: float
    posterior: float
    posterior_sigma: float
    units: str = "Tg yr-1"


@dataclass(frozen=True)
class InversionResult:
    """Everything that `posterior.nc`, the report, the table and ``--json`` show.

    Attributes
    ----------
    name
        Name of the run (the config file's stem).
    target
        The controlled ``component.variable``.
    grid
        Grid of the controlled field.
    prior_field, posterior_field, posterior_sigma
        The controlled field before and after, and its one-sigma error, shape ``(cell,)``.
    sensitivity
        Diagonal of the averaging kernel, spread to the cells, shape ``(cell,)``.
    cluster
        Control element of each cell, -1 where a cell belongs to none, shape ``(cell,)``.
    observations
        By window, gathered from all ranks in time order, with ``posterior.simulated`` beside them.
    provenance
        Versions, hashes, seeds, config text: plain strings and numbers.
    """

    name: str
    target: str
    field_units: str
    grid: Grid
    posterior: Posterior
    prior: Tensor
    prior_sigma: Tensor
    prior_field: Tensor
    posterior_field: Tensor
    posterior_sigma: Tensor
    sensitivity: Tensor
    cluster: Tensor
    totals: Totals
    observations: ObservationsByWindow
    windows: Sequence[Interval]
    calls: Sequence[CallRecord]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
