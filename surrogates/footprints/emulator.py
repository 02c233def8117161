"""Footprints from weather as a surrogate: it answers, knows where it may, and how far it may be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.fields import Spec, Variable
from tradewind.errors import DomainError
from tradewind.surrogates.domain import Domain
from tradewind.surrogates.footprints.files import FootprintHeader, load_footprints
from tradewind.surrogates.footprints.fitting import Ensemble
from tradewind.surrogates.footprints.observations import Hours, Numbers, Window
from tradewind.surrogates.footprints.plume import KNOBS, Plume
from tradewind.surrogates.footprints.situations import Situations
from tradewind.surrogates.surrogate import Surrogate

UNITS = "m2 s mol-1"
"""Of a footprint: mol mol-1 by mol m-2 s-1."""
INPUTS = {
    "eastward_wind": "m s-1",
    "northward_wind": "m s-1",
    "atmosphere_boundary_layer_thickness": "m",
    "air_temperature": "degC",
    "air_pressure": "hPa",
    "inlet_height": "m",
}


class FootprintEmulator(Surrogate[Situations]):
    """Fitted plumes with their domain and their error; hours are its members.

    Parameters
    ----------
    ensemble
        The plumes.
    header
        What their file says.
    """

    def __init__(self, ensemble: Ensemble, header: FootprintHeader) -> None:
        super().__init__()
        self.ensemble, self.header = ensemble, header
        self.domain = Domain.from_bounds(header.domain)
        self.spec = Spec(
            imports=tuple(Variable(name, units) for name, units in INPUTS.items()),
            exports=(Variable("footprint", UNITS),),
        )

    @classmethod
    def from_checkpoint(cls, path: Path | str) -> FootprintEmulator:
        """Load plumes, domain and error model.

        Raises
        ------
        CheckpointError
            When the file cannot be used.
        """
        knobs, header = load_footprints(path, tuple(KNOBS))
        return cls(Ensemble([plume_of(values) for values in knobs], header.firmness), header)

    def knobs(self) -> Tensor:
        """Return the parameters, shape ``(member, knob)``."""
        return torch.stack([plume.knobs.detach() for plume in self.ensemble.plumes])

    def forward(self, x: Situations) -> Tensor:
        """Return footprints, (mol mol-1) / (mol m-2 s-1), shape ``(hour, ny, nx)``."""
        return self.ensemble(x)

    def valid(self, x: Situations) -> Tensor:
        """Return which hours lie inside the domain, bool ``(hour,)``; one with a NaN does not."""
        whole = x.east.isfinite().all(1) & x.air.isfinite().all(1)
        return whole & self.domain.holds(x.features)

    def error(self, x: Situations) -> Tensor:
        """Return the variance of each cell's error, shape ``(hour, ny, nx)``."""
        model = self.header.error
        variance: Tensor = model.floor**2 + (model.relative * self(x)).square()
        return variance

    def rows(self, hours: Hours, window: Window, known: Hours | None = None) -> Numbers:
        """Return rows of K: the footprints of `hours`, shape ``(hour, ny * nx)``, south-west cell first.

        Parameters
        ----------
        known
            Hours whose weather is known, for the past of `hours`; by default these themselves.

        Raises
        ------
        DomainError
            When an hour lies outside the domain, or its weather is missing.
        """
        x = Situations.of(hours, window, known)
        inside = self.valid(x) & torch.as_tensor(hours.usable)
        if not bool(inside.all()):
            outside = (~inside).nonzero().flatten()
            what = f"{len(outside)} of {len(inside)} hours lie outside its domain, the first is"
            raise DomainError(
                f"{what} {int(outside[0]) + 1}", where="footprints", hint="leave out hours that are not valid"
            )
        return np.asarray(self(x).flatten(1).numpy())


def plume_of(knobs: Tensor) -> Plume:
    """Return a plume with the given parameters, shape ``(knob,)``."""
    plume = Plume()
    plume.load_state_dict({"knobs": knobs})
    return plume
