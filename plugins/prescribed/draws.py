"""Random numbers of a step: one stream for each member, the same for any number of ranks and members.

The streams are numpy's PCG64 (O'Neill, 2014), told apart by `SeedSequence`. Their states are a few plain
numbers, which stay in the component's State, and unlike torch's generators they can be drawn from while
torch takes a derivative of the step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.fields import PerMember
from tradewind.errors import DataError, SpecError

if TYPE_CHECKING:
    from tradewind.couplers.ranks.layout import Layout

Draw: TypeAlias = Callable[[np.random.Generator, tuple[int, ...]], Any]


class Random:
    """What a function draws from.

    Fields are drawn whole, of which each rank takes its own cells: every rank draws the same.

    Parameters
    ----------
    streams
        Where the stream of each member stands, as `seeded` or `streams` gave it.
    layout
        Who owns which cells.
    """

    def __init__(self, streams: PerMember, layout: Layout) -> None:
        self._streams = [np.random.Generator(_standing_at(state)) for state in streams]
        self._layout = layout

    @property
    def streams(self) -> PerMember:
        """Where the streams stand, in plain values."""
        return PerMember(_in_texts(stream.bit_generator.state) for stream in self._streams)

    def normal(self, like: Tensor) -> Tensor:
        """Return standard normal numbers of the shape of `like`, float64.

        Parameters
        ----------
        like
            A field ``(member, *extra, cell)``, or one number for each member, ``(member,)``.

        Raises
        ------
        SpecError
            When `like` is neither.
        """
        return self._drawn(like, lambda stream, shape: stream.standard_normal(shape))

    def uniform(self, like: Tensor) -> Tensor:
        """Return numbers that are uniform from 0 up to 1; parameters and errors as those of `normal`."""
        return self._drawn(like, lambda stream, shape: stream.random(shape))

    def _drawn(self, like: Tensor, draw: Draw) -> Tensor:
        cells, members = self._layout.n_local, len(self._streams)
        if like.ndim == 0 or len(like) != members or (like.ndim > 1 and like.shape[-1] != cells):
            what = f"draws are of shape ({members},) or ({members}, *extra, {cells}), not {tuple(like.shape)}"
            raise SpecError(what, where="random", hint="draw for a whole field, then take what you need")
        shape = (*like.shape[1:-1], self._layout.n_global) if like.ndim > 1 else ()
        whole = torch.from_numpy(np.stack([np.asarray(draw(stream, shape)) for stream in self._streams]))
        return whole if like.ndim == 1 else self._layout.scatter(whole)


def seeded(seed: int, members: int) -> PerMember:
    """Return where the streams of a run begin."""
    seeds = (np.random.SeedSequence(seed, spawn_key=(member,)) for member in range(members))
    return PerMember(_in_texts(np.random.PCG64(s).state) for s in seeds)


def to_bytes(streams: PerMember) -> bytes:
    """Return where streams stand, for a restart file."""
    return json.dumps(list(streams)).encode()


def of_bytes(saved: bytes) -> PerMember:
    """Return streams that were saved.

    Raises
    ------
    DataError
        When they are none.
    """
    try:
        streams = PerMember(json.loads(saved))
        for state in streams:
            _standing_at(state)
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"holds no streams of random numbers: {error}", where="restart file") from error
    return streams


def _in_texts(state: Any) -> dict[str, Any]:
    # numbers of 128 bits, which not every reader of JSON takes
    return {**state, "state": {name: str(value) for name, value in state["state"].items()}}


def _standing_at(state: Mapping[str, Any]) -> np.random.PCG64:
    bits = np.random.PCG64(0)
    numbers: Any = {**state, "state": {name: int(value) for name, value in state["state"].items()}}
    bits.state = numbers
    return bits
