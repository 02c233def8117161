"""Settings of the Jacobian emulator."""

from __future__ import annotations

from enum import StrEnum

from tradewind.plugins.options import Options, RelativePath


class OwnError(StrEnum):
    """What becomes of the network's own error in an inversion."""

    IGNORED = "ignored"
    IN_OBSERVATION_SPACE = "in_observation_space"


class EmulatorOptions(Options):
    """Settings of the surrogate.

    Attributes
    ----------
    checkpoint
        Trained network, made by ``tradewind train``.
    error
        ``in_observation_space`` adds the variance of the network's error, as seen by the observation
        operator, to that of the observations. By default it is ``ignored``, so that posteriors by the
        surrogate and by the reference model weigh the observations alike and can be compared.
    """

    checkpoint: RelativePath
    error: OwnError = OwnError.IGNORED
