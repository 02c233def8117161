"""A plume that goes back in time from an inlet: the footprint that physics expects, with few parameters.

The air that reaches the inlet at t was, at an age a, at x(a) = - ∫ u(t - a') da', where u is what blew at the
inlet at that time, blended with what blows there now: neither is the wind upstream, so two paths with
different blends are followed, half of the air on each. Around its path the air is spread by σ(a), a Gaussian
that is integrated over each cell. Of what a flux F puts into the air, the inlet sees F da G(a) / n: n is the
amount of air (mol m-3) and G (m-1) the density of a column of air at the ground, that of a Gaussian about the
inlet's height with reflections at the ground and at the mixing height H while the air is young, and 1/H once
it is mixed (Seinfeld and Pandis 2016, chapter 18; the adjoint of a plume is a plume along the turned wind,
Pudykiewicz 1998, doi:10.1016/S1352-2310(97)00506-3). A tracer that decays is seen less the older it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tradewind.surrogates.footprints.situations import FEATURES, Situations


class Knob(NamedTuple):
    """A parameter: where it starts, and how far from there it is expected to lie (one sigma)."""

    start: float
    spread: float


SLOPE = Knob(0.0, 0.3)
TURN_HOURS = 3.0
MEANDER_HOURS = 3.0
REFLECTIONS = (-2, -1, 0, 1, 2)
MIXED = 1.2
"""Where the spread is so many mixing heights the air counts as mixed."""
FRICTION = 0.05 * 0.4 * 0.15
"""Vertical mixing (m2 s-1) over wind times mixing height: von Kármán's constant, a friction velocity of a
twentieth of the wind, and the mean of z (1 - z / H)^2 / H between its ends, rounded up."""
PLAIN: Mapping[str, Knob] = MappingProxyType(
    {
        "strength": Knob(0.0, 1.0),
        "speed": Knob(0.0, 0.3),
        "turn": Knob(0.0, 0.3),
        "turn_later": Knob(0.0, 0.3),
        "opening": Knob(math.log(0.15), 1.0),
        "diffusion": Knob(math.log(1e3), 1.5),
        "meander": Knob(math.log(0.7), 0.7),
        "vertical": Knob(0.0, 1.5),
        "least_depth": Knob(math.log(80.0), 0.7),
        "deepest": Knob(0.0, 2.0),
        "depth_power": Knob(0.0, 0.3),
        "first_height": Knob(math.log(10.0), 1.0),
        "venting": Knob(math.log(12 * 3600.0), 1.0),
        "persistence": Knob(-1.0, 2.0),
        "doubt": Knob(math.log(1.5), 0.7),
    }
)
RESPONSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"strength": FEATURES, "speed": ("wind",), "turn": ("depth", "sun")}
)
"""What follows the weather: linear in the features."""
KNOBS: Mapping[str, Knob] = MappingProxyType(
    {**PLAIN, **{f"{name} by {f}": SLOPE for name, some in RESPONSES.items() for f in some}}
)


class Plume(nn.Module):
    """The footprint by physics.

    Attributes
    ----------
    knobs
        The parameters in the order of `KNOBS`; lengths, rates and factors by their logarithms.
    """

    def __init__(self) -> None:
        super().__init__()
        self.knobs = nn.Parameter(torch.tensor([k.start for k in KNOBS.values()], dtype=torch.float64))

    def forward(self, x: Situations) -> Tensor:
        """Return footprints, (mol mol-1) / (mol m-2 s-1), shape ``(hour, ny, nx)``; never negative."""
        knobs = Knobs(self.knobs, x)
        doubt = knobs["doubt"].exp()
        paths = [follow(x, knobs, knobs["persistence"] + sign * doubt) for sign in (1.0, -1.0)]
        return (cells(x, knobs, paths[0]) + cells(x, knobs, paths[1])) / 2

    def strangeness(self) -> Tensor:
        """Return the mean square of the parameters' distances from their starts, in their spreads."""
        start, spread = (self.knobs.new_tensor(v) for v in zip(*KNOBS.values(), strict=True))
        mean: Tensor = ((self.knobs - start) / spread).square().mean()
        return mean


class Knobs:
    """The parameters by name, at some situations.

    Parameters
    ----------
    values
        In the order of `KNOBS`.
    x
        The situations whose weather some parameters follow.
    """

    def __init__(self, values: Tensor, x: Situations) -> None:
        self._values = dict(zip(KNOBS, values, strict=True))
        self._x = x

    def __getitem__(self, name: str) -> Tensor:
        """Return a number, or shape ``(hour, 1)`` for what follows the weather."""
        value: Tensor = self._values[name]
        for feature in RESPONSES.get(name, ()):
            k = FEATURES.index(feature)
            value = value + self._values[f"{name} by {feature}"] * self._x.features[:, k : k + 1]
        return value


class Path(NamedTuple):
    """Where the air was, and how fast: all of shape ``(hour, age)``, m and m s-1."""

    east: Tensor
    north: Tensor
    speed: Tensor
    travelled: Tensor


def follow(x: Situations, knobs: Knobs, persistence: Tensor) -> Path:
    """Return the way back, along past winds blended with the present one."""
    now = persistence.sigmoid()
    east, north = ((1 - now) * wind + now * wind[:, :1] for wind in (x.east, x.north))
    angle = knobs["turn"] + knobs["turn_later"] * (1 - torch.exp(-x.age / (TURN_HOURS * 3600)))
    speed, cos, sin = knobs["speed"].exp(), angle.cos(), angle.sin()
    u, v = speed * (cos * east - sin * north), speed * (sin * east + cos * north)
    pace = speed * (east.square() + north.square() + 0.25).sqrt()
    return Path(-_until(u, x.length), -_until(v, x.length), pace, _until(pace, x.length))


def _until(rate: Tensor, length: Tensor) -> Tensor:
    """Return the integral of a rate until the middle of each age."""
    step = rate * length
    return step.cumsum(dim=1) - step / 2


def cells(x: Situations, knobs: Knobs, path: Path) -> Tensor:
    """Return what the cells contribute along a path, shape ``(hour, ny, nx)``."""
    width = math.sqrt(2.0) * spread(x, knobs, path)[:, :, None]
    along = [
        torch.erf((edges[:, None] - centre[:, :, None]) / width).diff(dim=2) / 2
        for edges, centre in ((x.south_north, path.north), (x.west_east, path.east))
    ]
    weighted = along[1] * weight(x, knobs, path)[:, :, None]
    return along[0].mT @ weighted


def spread(x: Situations, knobs: Knobs, path: Path) -> Tensor:
    """Return σ, m, shape ``(hour, age)``: opening angle, diffusion, meandering, and the ages' lengths."""
    meander = knobs["meander"].exp() * x.age
    variance = (
        (knobs["opening"].exp() * path.travelled).square()
        + 2 * knobs["diffusion"].exp() * x.age
        + meander.square() / (1 + x.age / (MEANDER_HOURS * 3600))
        + (path.speed * x.length).square() / 12
    )
    return variance.sqrt()


def weight(x: Situations, knobs: Knobs, path: Path) -> Tensor:
    """Return what a unit flux adds during each age, mol mol-1 / (mol m-2 s-1), shape ``(hour, age)``."""
    kept = torch.exp(-x.age / knobs["venting"].exp() - x.age / x.lifetime)
    return knobs["strength"].exp() * kept * x.length * ground_density(x, knobs, path) / x.air


def ground_density(x: Situations, knobs: Knobs, path: Path) -> Tensor:
    """Return G, m-1, shape ``(hour, age)``."""
    depth = mixing_depth(x, knobs)
    mixing = knobs["vertical"].exp() * FRICTION * path.speed * depth
    sigma = (knobs["first_height"].exp().square() + 2 * _until(mixing, x.length)).sqrt()
    images = (torch.exp(-(x.height + 2 * m * depth).square() / (2 * sigma.square())) for m in REFLECTIONS)
    young = sum(images, torch.zeros(())) * 2 / (math.sqrt(2 * math.pi) * sigma)
    mixed = torch.sigmoid(4 * (sigma / depth - MIXED))
    return young * (1 - mixed) + mixed / depth


def mixing_depth(x: Situations, knobs: Knobs) -> Tensor:
    """Return H, m, shape ``(hour, age)``: between that at the age and the greatest since."""
    least, blend = knobs["least_depth"].exp(), knobs["deepest"].sigmoid()
    then, since = ((h.square() + least.square()).sqrt() for h in (x.depth, x.deepest))
    blended = blend * since.log() + (1 - blend) * then.log()
    usual = math.log(500.0)
    return torch.exp(usual + (1 + knobs["depth_power"]) * (blended - usual))
