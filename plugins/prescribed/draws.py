"""Random numbers of a step: the same for any number of ranks, and the same again after a restart.

The stream is numpy's PCG64 (O'Neill 2014): its state is a few plain numbers, which go into the component's
State, and unlike torch's generators it can be drawn from while torch takes a derivative of the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tradewind.errors import SpecError

if TYPE_CHECKING:
    from tradewind.couplers.ranks.layout import Layout


class Random:
    """What a function draws from.

    Fields are drawn whole, of which each rank takes its own cells: every rank draws the same.

    Parameters
    ----------
    state
        Where the stream stands, as `state` or `seeded` gave it.
    layout
        Who owns which cells.
    """

    def __init__(self, state: Mapping[str, Any], layout: Layout) -> None:
        self._bits = np.random.PCG64()
        self._bits.state = _with_numbers(state)
        self._draw = np.random.Generator(self._bits)
        self._layout = layout

    @property
    def state(self) -> dict[str, Any]:
        """Where the stream stands, in plain values."""
        return _with_texts(self._bits.state)

    def normal(self, like: Tensor) -> Tensor:
        """Return standard normal numbers of the shape of `like`, float64.

        Parameters
        ----------
        like
            A field ``(member, *extra, cell)``, or one number for each member, ``(member,)``.
        """
        return self._of(like, self._draw.standard_normal)

    def uniform(self, like: Tensor) -> Tensor:
        """Return numbers that are uniform from 0 up to 1 of the shape of `like`, float64."""
        return self._of(like, self._draw.random)

    def _of(self, like: Tensor, draw: Any) -> Tensor:
        if like.ndim == 1:
            return torch.from_numpy(draw(tuple(like.shape)))
        if like.ndim == 0 or like.shape[-1] != self._layout.n_local:
            what = f"draws are of fields (member, *extra, {self._layout.n_local}), not {tuple(like.shape)}"
            raise SpecError(what, where="random", hint="draw for a whole field, then take what you need")
        whole = draw((*like.shape[:-1], self._layout.n_global))
        return self._layout.scatter(torch.from_numpy(whole))


def seeded(seed: int) -> dict[str, Any]:
    """Return where a stream begins, in plain values."""
    return _with_texts(np.random.PCG64(seed).state)


def _with_texts(state: Mapping[str, Any]) -> dict[str, Any]:
    # numbers of 128 bits, which not every reader of JSON takes
    return {**state, "state": {name: str(value) for name, value in state["state"].items()}}


def _with_numbers(state: Mapping[str, Any]) -> Any:
    return {**state, "state": {name: int(value) for name, value in state["state"].items()}}
