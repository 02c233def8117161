"""The transport model as a component: surface flux in, mixing ratios of columns and of layers out."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields, Kind, Layouts, Spec, State, Variable
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.errors import SpecError
from tradewind.plugins.transport.advection import Scheme, Upwind, VanLeer
from tradewind.plugins.transport.domain import Domain
from tradewind.plugins.transport.massflux import FlowSource
from tradewind.plugins.transport.mixing import Mixing
from tradewind.plugins.transport.options import TransportOptions
from tradewind.plugins.transport.solver import Solver
from tradewind.plugins.transport.weather import Weather

FLUX, COLUMN, TRACER = "methane_flux", "methane_column", "methane_mass"
PROFILE = "methane_profile"
AIR_OVER_METHANE = 28.9644 / 16.0425
PPB = 1e9
SCHEMES: dict[str, type[Upwind] | type[VanLeer]] = {"upwind": Upwind, "van_leer": VanLeer}


class Transport:
    """Multi-layer transport of methane emitted at the ground, driven by winds from a file.

    The tracer is what was emitted within the run: air flows in clean through the sides. Its mass is
    conserved to rounding but for what leaves through them.

    Parameters
    ----------
    options
        Settings; the weather is read when it is first needed.

    Attributes
    ----------
    by_layer
        Whether mole fractions by layer are exported too: only where somebody looks, see `asked`.
    """

    def __init__(self, options: TransportOptions) -> None:
        self.options, self.by_layer = options, False
        region = options.region
        self.domain = Domain(
            region.west, region.east, region.south, region.north, options.spacing, tuple(options.layers)
        )

    @cached_property
    def flows(self) -> FlowSource:
        """The air, interval by interval."""
        return FlowSource(Weather.read(self.options.weather), self.domain)

    @cached_property
    def solver(self) -> Solver:
        """What advances the tracer."""
        layer = self.options.boundary_layer
        scheme: Scheme = SCHEMES[self.options.scheme]()
        mixing = Mixing(layer.depth, layer.inside, layer.above)
        return Solver(self.domain, scheme, mixing, self.options.substep)

    def asked(self, names: Collection[str]) -> None:
        """Learn what of it a run names: layers are exported where `methane_profile` is among `names`."""
        self.by_layer = PROFILE in names

    def describe(self) -> Spec:
        """Return the spec; reads no weather."""
        grid = self.domain.grid
        return Spec(
            imports=(Variable(FLUX, "kg m-2 s-1", grid, Kind.FLUX_INTENSIVE, cell_methods="time: mean"),),
            exports=(Variable(COLUMN, "1e-9", grid, Kind.STATE_INTENSIVE), *self._layers()),
            state=(
                Variable(TRACER, "kg", grid, Kind.STATE_EXTENSIVE, extra=(("layer", self.domain.layers),)),
            ),
            linear=SCHEMES[self.options.scheme].linear,
        )

    def _layers(self) -> tuple[Variable, ...]:
        """Return the export by layer, whose levels are fractions of surface pressure; none unless asked."""
        extra, middle = (("layer", self.domain.layers),), tuple(self.domain.middle.tolist())
        layered = Variable(
            PROFILE, "1e-9", self.domain.grid, extra=extra, levels=middle, interfaces=self.domain.sigma
        )
        return (layered,) if self.by_layer else ()

    def verify(self, clock: Clock) -> None:
        """Read the weather and refuse a run that it does not cover, or whose winds are too fast.

        Raises
        ------
        DataError
            Missing file, missing values, winds that end before the run does, or a substep that is too long
            for the winds at any time of the run.
        """
        for time in (clock.start, clock.stop):
            self.flows.weather.bracket(time)
        for part in self.parts(Interval(clock.start, clock.stop)):
            self.solver.check_courant(self.flows.at(part.start))

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return clean air.

        Raises
        ------
        SpecError
            When the cells are shared between ranks: this model is parallel over members and windows.
        """
        for name, layout in layouts.items():
            if not layout.is_serial:
                raise SpecError(
                    "the cells are shared between ranks", where=f"transport.{name}",
                    hint="the transport model is parallel over members and windows, not over cells",
                )  # fmt: skip
        cells = self.domain.shape[0] * self.domain.shape[1]
        return State({TRACER: torch.zeros(members, self.domain.layers, cells, dtype=torch.float64)})

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Advance over `interval`, cut where the analyses change."""
        tracer, flux = (self._map(field) for field in (state.fields[TRACER], imports[FLUX]))
        emission = flux * self.domain.area
        for part in self.parts(interval):
            tracer = self.solver.advance(tracer, emission, self.flows.at(part.start), part)
        exports = {COLUMN: self.column(tracer, interval.stop)}
        if self.by_layer:
            exports[PROFILE] = self.profile(tracer, interval.stop)
        return exports, State({TRACER: tracer.flatten(-2)})

    def _map(self, field: Tensor) -> Tensor:
        return field.reshape(*field.shape[:-1], *self.domain.shape)

    def parts(self, interval: Interval) -> list[Interval]:
        """Return `interval` cut at the times of the analyses."""
        times = self.flows.weather.times
        edges = [interval.start, *(t for t in times if interval.start < t < interval.stop), interval.stop]
        return [Interval(a, b) for a, b in pairwise(edges)]

    def column(self, tracer: Tensor, time: datetime) -> Tensor:
        """Return the column-mean mole fraction, 1e-9, shape ``(..., cell)``, of tracer masses."""
        return (tracer.sum(-3) * self.column_factor(time)).flatten(-2)

    def profile(self, tracer: Tensor, time: datetime) -> Tensor:
        """Return mole fractions by layer, 1e-9, shape ``(..., layer, cell)``, of tracer masses.

        Their mean over the layers, weighted by these' share of the air, is the column's.
        """
        share = self.domain.thickness[:, None, None]
        return (tracer * (self.column_factor(time) / share)).flatten(-2)

    def column_factor(self, time: datetime) -> Tensor:
        """Return what turns kg in a column into its mole fraction in 1e-9, shape ``(lat, lon)``."""
        i, _ = self.flows.weather.bracket(time)
        return PPB * AIR_OVER_METHANE / self.flows.between(i).air_at(time).sum(-3)

    def finalize(self) -> None:
        """Nothing is held."""
