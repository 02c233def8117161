"""Asking a column network: fast, and with bits that do not depend on which columns stand side by side.

Kernels choose their order of summation by the number of columns. So columns are asked in pieces of few
sizes, the last of them filled up, and it is tried once whether these sizes give a column the same bits on
this machine; where they do not, all pieces have one size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from tradewind.surrogates.columns.network import ACTIVATIONS, MLP, ColumnNetwork

SIZES = (1024, 256, 64, 16)
"""Columns of a piece, largest first: a thousand have the best cost per column."""
ONE_SIZE = (64,)
NEARLY = 0.85
"""A piece is filled up rather than cut when so much of it is there."""
InPlace: TypeAlias = Callable[[Tensor], Tensor]
Hidden: TypeAlias = tuple[Tensor, Tensor, InPlace, Tensor]
Last: TypeAlias = tuple[Tensor, Tensor, InPlace | None]
IN_PLACE: Mapping[str, InPlace] = MappingProxyType(
    {"identity": lambda x: x, "tanh": torch.tanh_, "relu": torch.relu_, "sigmoid": torch.sigmoid_}
)


class Counts(Enum):
    """Which numbers of columns are asked as they are; its value: the largest of them.

    Attributes
    ----------
    PIECES
        None: bits never depend on how columns are dealt to ranks.
    FEW
        Fewer than the smallest piece: then nobody else has any.
    ANY
        All that fit into a piece: fastest, for one process alone.
    """

    PIECES = 0
    FEW = SIZES[-1] - 1
    ANY = SIZES[0]


class Piece(NamedTuple):
    """Columns `start` to `start + length`, asked as `size` columns."""

    start: int
    length: int
    size: int


@lru_cache(maxsize=256)
def pieces(count: int, sizes: Sequence[int]) -> tuple[Piece, ...]:
    """Return pieces of `sizes` (largest first) that cover `count` columns."""
    return tuple(_cut(count, sizes))


def _cut(count: int, sizes: Sequence[int]) -> Iterator[Piece]:
    start = 0
    while start < count:
        rest = count - start
        size = next((s for s in sizes if rest >= NEARLY * s), sizes[-1])
        length = min(rest, size)
        yield Piece(start, length, size)
        start += length


class ColumnEvaluator:
    """Asks a network, in pieces.

    Parameters
    ----------
    network
        In evaluation mode.
    counts
        Which numbers of columns are asked as they are.
    """

    def __init__(self, network: ColumnNetwork, counts: Counts = Counts.PIECES) -> None:
        self.network, self.counts = network.eval(), counts
        self.outputs = len(network.output_mean)
        self._pipes: dict[int, Pipe] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Return the answers; torch follows them where gradients are enabled.

        Parameters
        ----------
        x
            Features in their units, shape ``(feature, column)``; also no columns.

        Returns
        -------
        Tensor
            Shape ``(feature, column)``.
        """
        if torch.is_grad_enabled():
            return self._followed(x)
        count = x.shape[1]
        if self._as_they_are(count):
            pipe = self.pipe(count)
            pipe(x, pipe.answered)
            return pipe.answered.clone()  # new memory is dear, and more so before a product than after it
        y = x.new_empty(self.outputs, count)
        self.into(x, y)
        return y

    def _as_they_are(self, count: int) -> bool:
        return 0 < count <= self.counts.value or (count in SIZES and count in self.sizes)

    def into(self, x: Tensor, y: Tensor) -> None:
        """Write the answers to `x` into `y`; both contiguous, no gradients."""
        count = x.shape[1]
        if self._as_they_are(count):
            self.pipe(count)(x, y)
            return
        for start, length, size in pieces(count, self.sizes):
            pipe = self.pipe(size)
            pipe.filled[:, :length] = x[:, start : start + length]
            pipe.filled[:, length:] = x[:, start : start + 1]
            pipe(pipe.filled, pipe.answered)
            y[:, start : start + length] = pipe.answered[:, :length]

    def pipe(self, size: int) -> Pipe:
        """Return the network with memory for `size` columns."""
        if size not in self._pipes:
            self._pipes[size] = Pipe(self.network, size)
        return self._pipes[size]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of pieces that give every column the same bits on this machine."""
        return SIZES if _give_the_same(self, SIZES) else ONE_SIZE

    def _followed(self, x: Tensor) -> Tensor:
        count = x.shape[1]
        if 0 < count <= self.counts.value:
            return self._forward(x)
        parts = [self._filled_up(x, piece) for piece in pieces(count, self.sizes)]
        return torch.cat(parts, dim=1) if parts else x.new_empty(self.outputs, 0)

    def _filled_up(self, x: Tensor, piece: Piece) -> Tensor:
        start, length, size = piece
        part = functional.pad(x[:, start : start + length], (0, size - length))
        return self._forward(part)[:, :length]

    def _forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.network(x)
        return answer


class Pipe:
    """A network with memory for a number of columns: the operations of its ``forward``, in place.

    Parameters
    ----------
    network
        Any; kinds other than `MLP` are asked as they are.
    size
        Number of columns.

    Attributes
    ----------
    filled, answered
        Memory for what is asked and answered in pieces, shapes ``(feature, size)``.
    """

    def __init__(self, network: ColumnNetwork, size: int) -> None:
        self.network = network
        like = network.input_mean
        self.filled = like.new_zeros(len(like), size)
        self.answered = like.new_zeros(len(network.output_mean), size)
        self._hidden, self._last = _layers(network, size) if isinstance(network, MLP) else ([], None)
        self._scaled = like.new_empty(len(like), size) if network.scales_inputs else None

    def __call__(self, x: Tensor, y: Tensor) -> None:
        """Write the answers to `x` into `y`."""
        if self._last is None:
            y.copy_(self.network(x))
            return
        network, addmm = self.network, torch.addmm
        if self._scaled is not None:
            x = torch.sub(x, network.input_mean, out=self._scaled).div_(network.input_scale)
        for bias, weight, activation, hidden in self._hidden:
            x = activation(addmm(bias, weight, x, out=hidden))
        bias, weight, last = self._last
        addmm(bias, weight, x, out=y)
        if last is not None:
            last(y)
        if network.scales_outputs:
            y.mul_(network.output_scale).add_(network.output_mean)


def _layers(network: MLP, size: int) -> tuple[list[Hidden], Last | None]:
    """Return bias, weight, activation and memory of each hidden layer, and those of the last."""
    *inner, (weight, bias) = [(w.detach(), b.detach()) for w, b in network.affine()]
    between = _in_place(network.activation)
    hidden = [(b, w, between, w.new_empty(len(w), size)) for w, b in inner]
    plain = network.output_activation == "identity"
    return hidden, (bias, weight, None if plain else _in_place(network.output_activation))


def _in_place(name: str) -> InPlace:
    return IN_PLACE.get(name) or _copying(ACTIVATIONS[name])


def _copying(activation: Callable[[Tensor], Tensor]) -> InPlace:
    return lambda x: x.copy_(activation(x))


def _give_the_same(evaluator: ColumnEvaluator, sizes: Sequence[int]) -> bool:
    """Return whether pieces of all `sizes` give random columns the same bits, wherever they lie in memory."""
    network, count = evaluator.network, max(sizes)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(len(network.input_mean), count, generator=generator, dtype=torch.float64)
    x = (network.input_mean + network.input_scale * drawn).to(network.input_mean.dtype)
    with torch.no_grad():
        answers = [_in_pieces(evaluator, x, size) for size in sizes]
    return all(torch.equal(answers[0], other) for other in answers)


def _in_pieces(evaluator: ColumnEvaluator, x: Tensor, size: int) -> Tensor:
    y = x.new_empty(evaluator.outputs, x.shape[1])
    pipe = evaluator.pipe(size)
    for start in range(0, x.shape[1], size):
        part, answer = x[:, start : start + size], y[:, start : start + size]
        pipe(unaligned(part), pipe.answered)
        answer.copy_(pipe.answered)
    return y


def unaligned(x: Tensor) -> Tensor:
    """Return a copy that lies as awkwardly in memory as that of a host may."""
    memory = x.new_empty(x.numel() + 1)[1:].view(x.shape)
    return memory.copy_(x)
