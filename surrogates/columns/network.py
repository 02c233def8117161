"""The networks that look at one column: features first, columns last, as fields lie in memory.

A Fortran array ``(column, feature)`` and a field ``(feature, cell)`` of ours are the same bytes, so that
nothing is turned over on the way into a network or out of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from tradewind.errors import CheckpointError, SpecError
from tradewind.surrogates.columns.header import ColumnField, Kind, features

Activation = Callable[[Tensor], Tensor]

ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "identity": lambda x: x,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "gelu": functional.gelu,
        "silu": functional.silu,
        "elu": functional.elu,
        "sigmoid": torch.sigmoid,
        "softplus": functional.softplus,
    }
)
DTYPES: Mapping[Kind, torch.dtype] = MappingProxyType(
    {Kind.REAL32: torch.float32, Kind.REAL64: torch.float64}
)


class ColumnNetwork(nn.Module, ABC):
    """A network from the features of a column to those of its answer.

    Parameters
    ----------
    inputs, outputs
        Its fields, whose features stand one after the other, with their scales.

    Attributes
    ----------
    name
        Name of the kind of network in files.
    """

    name: ClassVar[str]
    input_mean: Tensor
    input_scale: Tensor
    output_mean: Tensor
    output_scale: Tensor

    def __init__(self, inputs: Sequence[ColumnField], outputs: Sequence[ColumnField]) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.scales_inputs, self.scales_outputs = _scaled(self.inputs), _scaled(self.outputs)
        self._hold_scales(torch.empty(0))

    def _hold_scales(self, like: Tensor) -> None:
        """Hold the scales as numbers of the type of `like`; the file's header holds them, not its tensors."""
        for side, fields in (("input", self.inputs), ("output", self.outputs)):
            mean, scale = [m for f in fields for m in f.means], [s for f in fields for s in f.scales]
            self.register_buffer(f"{side}_mean", like.new_tensor(mean)[:, None], persistent=False)
            self.register_buffer(f"{side}_scale", like.new_tensor(scale)[:, None], persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ColumnNetwork:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # in another precision the scales are those of the header again, not rounded ones
        self._hold_scales(next(self.parameters()).detach())
        return self

    @abstractmethod
    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options as plain values, for the file."""

    @abstractmethod
    def answer(self, x: Tensor) -> Tensor:
        """Return the answer to scaled features, shapes ``(feature, column)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output's features.

        Parameters
        ----------
        x
            Input features in their units, shape ``(feature, column)``.

        Returns
        -------
        Tensor
            Shape ``(feature, column)``, in their units.
        """
        h = (x - self.input_mean) / self.input_scale if self.scales_inputs else x
        y = self.answer(h)
        return self.output_mean + self.output_scale * y if self.scales_outputs else y


class MLP(ColumnNetwork):
    """Layers of neurons, all of one width each, with one activation between them.

    Parameters
    ----------
    inputs, outputs
        Its fields.
    widths
        Neurons of the hidden layers; none: a linear map.
    activation, output_activation
        Names in `ACTIVATIONS`: between the layers, and after the last (such as ``sigmoid``, with the scales
        of the outputs as the range of a parameter).

    Raises
    ------
    SpecError
        When an activation is not known or a width is not positive.
    """

    name: ClassVar[str] = "mlp"

    def __init__(
        self,
        inputs: Sequence[ColumnField],
        outputs: Sequence[ColumnField],
        widths: Sequence[int] = (64, 64),
        activation: str = "tanh",
        output_activation: str = "identity",
    ) -> None:
        super().__init__(inputs, outputs)
        self.widths, self.activation, self.output_activation = tuple(widths), activation, output_activation
        for name in (activation, output_activation):
            if name not in ACTIVATIONS:
                raise SpecError(f"no activation is called {name!r}", where=self.name, hint=_known())
        if any(w < 1 for w in self.widths):
            raise SpecError(f"widths {self.widths} are not all positive", where=self.name)
        sizes = (features(self.inputs), *self.widths, features(self.outputs))
        pairs = pairwise(sizes)
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairs)

    def options(self) -> Mapping[str, Any]:
        """Return widths and activations."""
        names = {"activation": self.activation, "output_activation": self.output_activation}
        return {"widths": list(self.widths), **names}

    def affine(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield W, shape ``(out, in)``, and b, shape ``(out, 1)``, of each layer."""
        for layer in self.layers:
            yield layer.get_parameter("weight"), layer.get_parameter("bias")[:, None]

    def answer(self, x: Tensor) -> Tensor:
        """Return ``act(W x + b)``, layer after layer."""
        between = ACTIVATIONS[self.activation]
        for number, (weight, bias) in enumerate(self.affine()):
            x = torch.addmm(bias, weight, x if number == 0 else between(x))
        return ACTIVATIONS[self.output_activation](x)


COLUMN_NETWORKS: Mapping[str, type[ColumnNetwork]] = MappingProxyType({kind.name: kind for kind in (MLP,)})


def build_columns(
    name: str,
    options: Mapping[str, Any],
    fields: tuple[Sequence[ColumnField], Sequence[ColumnField]],
    kind: Kind = Kind.REAL32,
) -> ColumnNetwork:
    """Return an untrained network.

    Parameters
    ----------
    name
        A key of `COLUMN_NETWORKS`.
    options
        Its constructor's options.
    fields
        Inputs and outputs.

    Raises
    ------
    CheckpointError
        When the kind of network is not known or does not take these options.
    """
    if name not in COLUMN_NETWORKS:
        raise CheckpointError(
            f"no column network is called {name!r}", hint=f"known: {', '.join(COLUMN_NETWORKS)}"
        )
    try:
        return COLUMN_NETWORKS[name](*fields, **options).to(DTYPES[kind])
    except (TypeError, ValueError, RuntimeError, SpecError) as error:
        raise CheckpointError(f"the {name} network does not take these options: {error}") from error


def _scaled(fields: Sequence[ColumnField]) -> bool:
    return any(f.means != (0.0,) * f.features or f.scales != (1.0,) * f.features for f in fields)


def _known() -> str:
    return f"known: {', '.join(sorted(ACTIVATIONS))}"
