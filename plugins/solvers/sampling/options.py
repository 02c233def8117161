"""Settings of Markov chains."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from tradewind.plugins.options import Options

FEWEST = 4
"""Steps that must be kept: convergence is judged by the two halves of each chain."""


class Kernel(StrEnum):
    """How a chain takes its steps.

    Attributes
    ----------
    METROPOLIS
        Random walk whose covariance is learnt from the chain (Haario et al., 2001,
        doi 10.2307/3318737): no gradient.
    MALA
        Metropolis-adjusted Langevin: one leapfrog step along the gradient.
    HMC
        Hamiltonian Monte Carlo: several leapfrog steps (Neal, 2011).
    """

    METROPOLIS = "metropolis"
    MALA = "mala"
    HMC = "hmc"


class Adapt(StrEnum):
    """How long a chain learns: afterwards it is an ordinary Metropolis–Hastings chain."""

    WARMUP = "warmup"
    ALWAYS = "always"


class Sites(StrEnum):
    """Which elements make one chain.

    Attributes
    ----------
    TOGETHER
        All of x.
    PLACES
        Elements of one place are a site, with a chain of its own; observations belong to the nearest
        site, or to the one whose number their coordinate ``site`` gives.
    """

    TOGETHER = "together"
    PLACES = "places"


class MCMCOptions(Options):
    """Settings of Markov chains."""

    kernel: Kernel = Field(default=Kernel.METROPOLIS, description="metropolis, mala or hmc.")
    chains: int = Field(default=4, ge=1, description="Number of chains.")
    steps: int = Field(default=4000, ge=4, description="Steps of each chain, the warm-up included.")
    warmup: float = Field(default=0.5, gt=0, lt=1, description="Part of the steps that is thrown away.")
    thin: PositiveInt = Field(
        default=1, description="Of the steps after the warm-up, every how many is kept."
    )
    sites: Sites = Field(default=Sites.TOGETHER, description="together or places.")
    seed: int = Field(default=0, ge=0, description="Of all draws; that of the run where it is not given.")
    temperature: PositiveFloat = Field(
        default=1.0, description="T in the acceptance exp(-J/2T); below 1 an optimiser, not a posterior."
    )
    scale: PositiveFloat | None = Field(
        default=None,
        description="Factor on the learnt covariance of metropolis; none: 2.4²/d, times what is learnt too.",
    )
    adapt: Adapt = Field(default=Adapt.WARMUP, description="warmup or always, of metropolis.")
    uniform_steps: int = Field(
        default=0, ge=0, description="First steps of metropolis, with uniform proposals."
    )
    uniform_width: PositiveFloat = Field(
        default=0.1, description="Half width of uniform proposals, in prior standard deviations."
    )
    leapfrog: PositiveInt = Field(
        default=10, description="Most leapfrog steps of hmc; 1 to so many each time."
    )
    r_hat: float = Field(default=1.05, gt=1, description="Converged when R-hat is below this everywhere.")
    members: PositiveInt = Field(default=1000, description="Most members that the posterior keeps.")
    batch: PositiveInt = Field(default=64, description="Members that the model is given at once.")

    @model_validator(mode="after")
    def _enough_is_kept(self) -> Self:
        kept = -(-(self.steps - int(self.warmup * self.steps)) // self.thin)
        if kept < FEWEST:
            raise ValueError(f"{kept} steps are kept of each chain, and {FEWEST} are needed to judge them")
        return self
