"""Settings of the background."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import PositiveFloat

from tradewind.plugins.options import Duration
from tradewind.plugins.transport.options import TransportOptions


class BackgroundOptions(TransportOptions):
    """Settings of the background: those of the transport beside which it stands, and a few of its own.

    Attributes
    ----------
    spin_up
        How long before the run's start air begins to come in. What is older belongs to no side.
    methane
        Mole fraction on which OH works, ppb.
    oh_lifetime
        Lifetime of methane against OH where its factor is one, years of 365.25 days; 11.2 is that of Prather
        and others (2012, doi:10.1029/2012GL051440).
    scheme
        Only ``upwind``: what enters through several sides adds up under a linear scheme alone.
    """

    spin_up: Duration = timedelta(days=5)
    methane: PositiveFloat = 1900.0
    oh_lifetime: PositiveFloat = 11.2
    scheme: Literal["upwind"] = "upwind"
