"""Settings of the Jacobian emulator."""

from __future__ import annotations

from enum import StrEnum

from tradewind.plugins.options import Options, RelativePath


class OwnError(StrEnum):
    """What becomes of the network's own error in an inversion."""

    IGNORED = "ignored"
    IN_OBSERVATION_SPACE = "in_observation_space"


class Base(StrEnum):
    """Who answers for the prior."""

    SURROGATE = "surrogate"
    REFERENCE = "reference"


class EmulatorOptions(Options):
    """Settings of the surrogate.

    Attributes
    ----------
    checkpoint
        Trained network, made by ``tradewind train``.
    error
        ``in_observation_space`` adds the covariance of the network's error, as seen by the observation
        operator, to that of the observations (variances alone where the checkpoint knows no more). By
        default it is ``ignored``, so that posteriors by the surrogate and by the reference model weigh the
        observations alike and can be compared.
    base
        ``reference``: the columns at the prior are those of one run of the reference model in each window,
        and the network answers for changes from them only. Its error then acts on changes only.
    """

    checkpoint: RelativePath
    error: OwnError = OwnError.IGNORED
    base: Base = Base.SURROGATE
