"""Simulated weather: more synoptic situations than one fortnight of analyses holds.

Each situation is the mean of the training period plus a random mixture of its anomalies. A mixture
takes whole sequences of analyses with one weight each, so its fields keep the covariances between
levels, between wind and pressure, in space and in time of the real ones, but were never seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tradewind.plugins.transport.weather import Weather


@dataclass(frozen=True)
class Simulator:
    """Draws weather of `length` consecutive analyses from those of a training period.

    Attributes
    ----------
    weather
        The training period, and nothing else.
    length
        Analyses in one situation.
    amplitude
        Factor on the anomalies; above one, situations are more extreme than the real ones.
    """

    weather: Weather
    length: int
    amplitude: float = 1.0

    def draw(self, seed: int) -> Weather:
        """Return one situation; the same seed gives the same weather."""
        generator = torch.Generator().manual_seed(seed)
        sequences = len(self.weather.times) - self.length + 1
        weights = torch.randn(sequences, generator=generator, dtype=torch.float64)
        weights *= self.amplitude / weights.norm()
        mixed = {name: self._mix(getattr(self.weather, name), weights) for name in ("u", "v", "pressure")}
        return replace(self.weather, times=self.weather.times[: self.length], **mixed)

    def _mix(self, field: Tensor, weights: Tensor) -> Tensor:
        mean = field.mean(0, keepdim=True)
        sequences = (field - mean).unfold(0, self.length, 1)
        return mean + torch.einsum("s,s...t->t...", weights, sequences)
