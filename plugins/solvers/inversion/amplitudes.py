"""Amplitudes: what of x the model is linear in.

An element that scales a field is its own amplitude, as one is that is added; the amplitude of a lognormal one
is s = exp(x). K is kept with respect to s, so that it holds for every x.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tradewind.couplers.assimilation import Control
from tradewind.couplers.assimilation.control import Add, Change, JointControl, Lognormal


class Amplitudes:
    """From x to amplitudes and back.

    Parameters
    ----------
    lognormal
        Which elements are logarithms, bool, shape ``(n,)``.
    """

    def __init__(self, lognormal: Tensor) -> None:
        self.lognormal = lognormal

    @property
    def linear(self) -> bool:
        """Whether amplitudes are x."""
        return not bool(self.lognormal.any())

    def of(self, x: Tensor) -> Tensor:
        """Return s, shape ``(n,)``."""
        return torch.where(self.lognormal, torch.exp(x), x)

    def change(self, amplitude: Tensor, step: Tensor) -> Tensor:
        """Return by how much s changes when x does by `step`, to all digits of a small one."""
        return torch.where(self.lognormal, amplitude * torch.expm1(step), step)

    def slope(self, x: Tensor) -> Tensor:
        """Return ds/dx, shape ``(n,)``."""
        return torch.where(self.lognormal, torch.exp(x), torch.ones_like(x))


def amplitudes(control: Control) -> Amplitudes:
    """Return how x and amplitudes of a control go together."""
    return Amplitudes(_which(control, lambda change: isinstance(change, Lognormal)))


def boundable(control: Control) -> Tensor:
    """Return which elements are factors, that bounds are for: bool, shape ``(n,)``."""
    return ~_which(control, lambda change: isinstance(change, Add | Lognormal))


def named(control: Control, variable: str) -> Tensor:
    """Return which elements belong to a target of that variable, such as ``boundary``: bool, ``(n,)``."""
    found = [
        torch.full((len(part.prior),), part.targets[0].rpartition(".")[2] == variable)
        for part in _parts(control)
    ]
    return torch.cat(found)


def _which(control: Control, asked: Callable[[Change | None], bool]) -> Tensor:
    found = [torch.full((len(part.prior),), asked(_change(part))) for part in _parts(control)]
    return torch.cat(found)


def _parts(control: Control) -> tuple[Control, ...]:
    return control.parts if isinstance(control, JointControl) else (control,)


def _change(part: Control) -> Change | None:
    """Return what elements do to their cells; None of a control that does not say."""
    found: Change | None = getattr(getattr(part, "base", part), "change", None)
    return found
