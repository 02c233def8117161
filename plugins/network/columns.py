"""Fields of a component as features of columns, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.grids import Grid
from tradewind.surrogates.columns.domain import holds
from tradewind.surrogates.columns.evaluation import ColumnEvaluator, Counts
from tradewind.surrogates.columns.files import load_columns, read_columns_header
from tradewind.surrogates.columns.header import ColumnField, ColumnHeader, Kind
from tradewind.surrogates.columns.network import DTYPES
from tradewind.surrogates.domain import Domain


class Columns:
    """A network's file, read when it is needed, and asked about fields.

    Parameters
    ----------
    checkpoint
        The file.
    precision
        Numbers to compute in; None: those of the file.
    """

    def __init__(self, checkpoint: Path, precision: Kind | None = None) -> None:
        self.checkpoint, self._precision = checkpoint, precision
        self._seen: tuple[Tensor, Tensor] | None = None

    @cached_property
    def header(self) -> ColumnHeader:
        """What the file says."""
        return read_columns_header(self.checkpoint)

    @cached_property
    def kind(self) -> Kind:
        """Numbers that are computed in."""
        return self._precision or self.header.kind

    @cached_property
    def dtype(self) -> torch.dtype:
        """The same as a type of tensors."""
        return DTYPES[self.kind]

    @cached_property
    def evaluator(self) -> ColumnEvaluator:
        """The network in pieces whose bits do not depend on how cells are dealt."""
        return ColumnEvaluator(load_columns(self.checkpoint)[0].to(self.dtype))

    @cached_property
    def domain(self) -> Domain | None:
        """Where it may be used; None: everywhere."""
        bounds = self.header.domain
        return None if bounds is None else Domain.from_bounds(bounds)

    def alone(self) -> None:
        """Ask few columns as they are, without filling them up: no other rank has any."""
        self.evaluator.counts = Counts.FEW

    # ------------------------------------------------------------------ answers
    @cached_property
    def _only(self) -> tuple[ColumnField, ColumnField] | None:
        header = self.header
        alone = len(header.inputs) == len(header.outputs) == 1
        return (header.inputs[0], header.outputs[0]) if alone else None

    def at_once(self, values: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
        """Return the answer where nothing is to be converted, for one field of one member; else None."""
        if self._only is None or self.domain is not None:
            return None
        taken, given = self._only
        x = values[taken.name]
        if self._seen is None or self._seen[0] is not x:
            if not self._fits(x, taken):
                return None
            # memory that is bound comes again and again as the same tensor
            self._seen = (x, x if taken.size is None else x.squeeze(0))
        y = self.evaluator(self._seen[1])
        return {given.name: y if given.size is None else y.unsqueeze(0)}

    def _fits(self, x: Tensor, field: ColumnField) -> bool:
        one = x.shape[0] == 1 and x.ndim == (2 if field.size is None else 3)
        return one and x.dtype is self.dtype and x.is_contiguous()

    def features(self, values: Sequence[Tensor], shape: tuple[int, int]) -> Tensor:
        """Return fields as features.

        Parameters
        ----------
        values
            One for each input, ``(member, *extra, cell)``; without cells where they are the same for all.
        shape
            Numbers of members and of cells.

        Returns
        -------
        Tensor
            Shape ``(feature, member * cell)``.
        """
        fields = self.header.inputs
        rows = [_rows(value.to(self.dtype), f, shape) for value, f in zip(values, fields, strict=True)]
        return rows[0] if len(rows) == 1 else torch.cat(rows)

    def fields(self, features: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> dict[str, Tensor]:
        """Return features as fields by name.

        Parameters
        ----------
        features
            Shape ``(feature, member * cell)``.
        shape
            Number of members, and of cells where there are any.
        """
        parts = torch.split(features.to(dtype), [f.features for f in self.header.outputs])
        named = zip(self.header.outputs, parts, strict=True)
        return {f.name: _field(part, f, shape) for f, part in named}

    def inside(self, features: Tensor, members: int) -> Tensor | None:
        """Return which members lie within the domain in all their columns, ``(member,)``; None: no domain."""
        if self.domain is None:
            return None
        return holds(self.domain, features).view(members, features.shape[1] // members).all(1)


def variable_of(field: ColumnField, grid: Grid | None) -> Variable:
    """Return a network's field as a component declares it."""
    extra = () if field.size is None else ((field.dimension, field.size),)
    return Variable(field.name, field.units, grid, extra=extra)


def dtype_of(values: Mapping[str, Tensor]) -> torch.dtype:
    """Return the type that answers to `values` have: single precision only where all of them have it."""
    single = all(value.dtype is torch.float32 for value in values.values())
    return torch.float32 if single and values else torch.float64


def _rows(value: Tensor, field: ColumnField, shape: tuple[int, int]) -> Tensor:
    members, cells = shape
    if value.ndim == (1 if field.size is None else 2):
        value = value[..., None].expand(*value.shape, cells)
    if members == 1:
        return value.reshape(field.features, cells)
    return value.reshape(members, field.features, cells).transpose(0, 1).flatten(1)


def _field(part: Tensor, field: ColumnField, shape: tuple[int, ...]) -> Tensor:
    members, *cells = shape
    extra = () if field.size is None else (field.size,)
    if members == 1:
        return part.reshape(1, *extra, *cells)
    count = part.shape[1] // members
    return part.reshape(field.features, members, count).transpose(0, 1).reshape(members, *extra, *cells)
