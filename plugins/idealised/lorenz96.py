"""The model of Lorenz (1996) on a circle: chaotic, cheap, and what assimilation methods are tried on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields, Layouts, Spec, State, Variable
from tradewind.couplers.grids import Grid
from tradewind.errors import SpecError
from tradewind.plugins.idealised.options import Lorenz96Options
from tradewind.plugins.idealised.starting import initial_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.coupling.time.clock import Clock

    Array: TypeAlias = NDArray[np.float64]


class Lorenz96:
    """Component ``lorenz-96``: ``dx_i/dt = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F`` on a circle.

    Lorenz and Emanuel (1998, doi 10.1175/1520-0469(1998)055<0399:OSFSWO>2.0.CO;2), by the classical
    Runge-Kutta scheme of fourth order. Point i lies on the equator at longitude ``360 i / n``, in a grid of
    one row. ``x`` is a state variable and an export, F (``forcing``) a parameter. torch differentiates it;
    steps of which no derivative is wanted are compiled, with the same bits.

    Parameters
    ----------
    options
        Size, forcing, length of time, and what it begins with.
    """

    def __init__(self, options: Lorenz96Options | None = None) -> None:
        self.options = options or Lorenz96Options()

    @cached_property
    def grid(self) -> Grid:
        """The circle, as one row of cells along the equator."""
        return circle(self.options.size)

    @cached_property
    def start(self) -> Tensor:
        """What x begins with, shape ``(cell,)``."""
        return initial_values(self.options, self.options.size, self.options.forcing)

    def inputs(self) -> Iterator[Path]:
        """Yield the file that it begins with, where there is one."""
        return (path for path in (self.options.file,) if path is not None)

    def verify(self, clock: Clock) -> None:
        """Read what it begins with.

        Raises
        ------
        DataError
            When that does not fit.
        """
        _ = self.start

    def describe(self) -> Spec:
        """Return the spec."""
        x = Variable("x", "1", self.grid)
        return Spec(exports=(x,), state=(x,), parameters=(Variable("forcing", "1"),))

    def defaults(self, layouts: Layouts) -> Fields:
        """Return F, shape ``(1,)``."""
        return {"forcing": torch.tensor([self.options.forcing], dtype=torch.float64)}

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return the same initial field for all members.

        Raises
        ------
        SpecError
            When the circle is cut: neighbours must be at hand.
        """
        if not layouts["x"].is_serial:
            raise SpecError("cannot be cut into parts", where="lorenz-96", hint="deal members to the ranks")
        return State({"x": self.start.expand(members, -1).clone()})

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Advance by `interval`, in `substeps` equal parts."""
        steps = self.options.substeps
        h = interval.seconds / steps / self.options.unit.total_seconds()
        x = advance(state.fields["x"], parameters["forcing"], h, steps)
        return {"x": x}, State({"x": x})

    def finalize(self) -> None:
        """Nothing is held."""


def circle(size: int) -> Grid:
    """Return `size` cells along the equator, from longitude 0 eastwards, as high as they are wide."""
    wide = 360.0 / size
    edges = np.array([-0.5, 0.5]) * wide
    return Grid.latlon(
        [0.0],
        wide * np.arange(size),
        lat_bounds=edges,
        lon_bounds=wide * (np.arange(size + 1) - 0.5),
    )


def advance(x: Tensor, forcing: Tensor, h: float, steps: int = 1) -> Tensor:
    """Return x after so many steps of length `h`, in units of the model's time.

    Parameters
    ----------
    x
        Shape ``(member, n)``.
    forcing
        Shape ``(member,)``.
    """
    arrays = None if torch.is_grad_enabled() else _plain(x, forcing)
    if arrays is not None:
        return torch.from_numpy(_compiled()(*arrays, h, steps))
    for _ in range(steps):
        x = rk4_step(x, forcing, h)
    return x


def rk4_step(x: Tensor, forcing: Tensor, h: float) -> Tensor:
    """Return x after one classical Runge-Kutta step."""
    k = tendency(x, forcing)
    total = k
    for weight, ahead in ((2.0, 0.5 * h), (2.0, 0.5 * h), (1.0, h)):
        k = tendency(x + ahead * k, forcing)
        total = total + weight * k
    return x + (h / 6.0) * total


def tendency(x: Tensor, forcing: Tensor) -> Tensor:
    """Return dx/dt, shape as `x`."""
    east, west, far = (torch.roll(x, shift, -1) for shift in (-1, 1, 2))
    return (east - far) * west - x + forcing[:, None]


def _plain(x: Tensor, forcing: Tensor) -> tuple[Array, Array] | None:
    """Return both as arrays; None where torch follows them for a derivative, or they are not float64."""
    if x.dtype != torch.float64 or forcing.dtype != torch.float64 or x.device.type != "cpu":
        return None
    try:
        return x.numpy(), forcing.numpy()
    except RuntimeError:  # within torch.func there is no memory to look at
        return None


@lru_cache(1)
def _compiled() -> Callable[[Array, Array, float, int], Array]:
    # late: numba is heavy
    from tradewind.plugins.idealised.rk4 import advanced

    return advanced
