"""Places of a component's fields on the host's side: shapes, kinds, units, and what was put there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.units import Conversion, conversion
from tradewind.errors import UnitsError
from tradewind.hosting.failing import CallError, Code

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.coupling.component import Key
    from tradewind.couplers.coupling.fields import Variable

    Array: TypeAlias = NDArray[Any]

KINDS = {np.dtype(np.float32): 1, np.dtype(np.float64): 2, np.dtype(np.int32): 3, np.dtype(np.int64): 4}
"""Numbers of the kinds in ``tradewind.h``."""
WORDS = {1: "real32", 2: "real64", 3: "int32", 4: "int64"}
ROLES = {"import": 1, "export": 2, "state": 3, "parameter": 4}
"""Numbers of the roles in ``tradewind.h``."""


class Manner(NamedTuple):
    """How an array of the host is meant.

    Attributes
    ----------
    units
        Of the array; None: those of the field.
    first
        First column that it covers, from 1; 0: it covers all.
    cast
        Whether another kind may be converted.
    convert
        Whether other units may be converted.
    """

    units: str | None = None
    first: int = 0
    cast: bool = False
    convert: bool = False


PLAIN = Manner()
SAME = Conversion(1.0, 0.0)


class Bound(NamedTuple):
    """Memory of the host.

    Attributes
    ----------
    array
        As the host sees it.
    alias
        The same memory as a tensor ``(member, *extra, cell)``; None where values must be copied, for other
        strides, kinds or units.
    """

    array: Array
    manner: Manner
    alias: Tensor | None


@dataclass
class Slot:
    """The place of one field.

    Attributes
    ----------
    extra
        Lengths between member and cell.
    columns
        Cells of this rank; None where the field belongs to no place.
    rectangle
        Rows and columns of the grid, where a whole field may also come as such.
    value
        What was put, shape ``(member, *extra, cell)``; None before.
    lent
        Whether somebody else holds `value`: it must not be changed any more.
    missing
        Columns that no block has covered yet; None where all are.
    fresh
        Whether it was put since the coupled run has taken it.
    bound
        Memory of the host that is used itself; None where nothing was bound.
    what
        0: values; 1: tangents; 2: adjoints, derivatives by the field.
    """

    component: str
    key: Key
    variable: Variable
    dtype: np.dtype[Any]
    members: int
    columns: int | None
    rectangle: tuple[int, ...] = ()
    value: Tensor | None = None
    lent: bool = False
    missing: NDArray[np.bool_] | None = None
    fresh: bool = False
    bound: Bound | None = None
    what: int = 0
    _units: dict[str, Conversion] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.extra = tuple(length for _, length in self.variable.extra)
        cells = () if self.columns is None else (self.columns,)
        self.shape = (self.members, *self.extra, *cells)
        self.torch_dtype = torch.from_numpy(np.empty(0, dtype=self.dtype)).dtype
        self.accepted = frozenset(self._shapes())

    def _shapes(self) -> list[tuple[int, ...]]:
        inner = [self.shape[1:]]
        if self.rectangle:
            inner.append((*self.extra, *self.rectangle))
        whole = [(self.members, *shape) for shape in inner]
        return whole + inner if self.members == 1 else whole

    @property
    def name(self) -> str:
        """The field's name."""
        return self.variable.name

    @property
    def extents(self) -> tuple[int, ...]:
        """Shape as Fortran declares it: cells first, members last, where there are several."""
        shape = self.shape[1:] if self.members == 1 else self.shape
        return tuple(reversed(shape))

    # ------------------------------------------------------------------ checks
    def fault(self, code: Code, what: str, hint: str = "") -> CallError:
        """Return an error that names this field."""
        return CallError(code, what, component=self.component, field=self.name, hint=hint)

    def factor(self, array: Array, manner: Manner) -> Conversion:
        """Refuse an array that is not what the field is; return how its units become those of the field.

        Raises
        ------
        CallError
            Other shape, kind or units than declared.
        """
        if array.dtype != self.dtype and not manner.cast:
            raise self._other_kind(array)
        if array.shape not in self.accepted or manner.first:
            self._check_block(array, manner.first)
        if manner.units is None or manner.units == self.variable.units:
            return SAME
        return self._conversion(manner)

    def _other_kind(self, array: Array) -> CallError:
        came, wanted = (WORDS.get(KINDS.get(d, 0), str(d)) for d in (array.dtype, self.dtype))
        what = f"declared as {wanted}, the array is {came}"
        return self.fault(Code.KIND, what, "declare it so, or say cast")

    def _check_block(self, array: Array, first: int) -> None:
        if not first or self.columns is None:
            if array.shape in self.accepted and first <= 1:
                return
            raise self._other_shape(array)
        length = array.shape[-1] if array.ndim else 0
        lead = array.shape[:-1]
        if lead != self.shape[:-1] and not (self.members == 1 and lead == self.extra):
            raise self._other_shape(array)
        if first < 1 or first - 1 + length > self.columns:
            what = f"a block of columns {first} to {first - 1 + length} of {self.columns}"
            raise self.fault(Code.SHAPE, what, "columns count from 1 on each rank")

    def _other_shape(self, array: Array) -> CallError:
        came, wanted = _fortran(array.shape[::-1]), _fortran(self.extents)
        hint = "give the whole field, or a block of columns and its first column"
        return self.fault(Code.SHAPE, f"declared with extents {wanted}, the array has {came}", hint)

    def _conversion(self, manner: Manner) -> Conversion:
        given = str(manner.units)
        if given not in self._units:
            try:
                self._units[given] = _of(self.what, conversion(given, self.variable.units))
            except UnitsError as error:
                raise self.fault(Code.UNITS, error.what, error.hint) from error
        found = self._units[given]
        if found != SAME and not manner.convert:
            what = f"declared in {self.variable.units!r}, the array is in {given!r}"
            raise self.fault(Code.UNITS, what, "give it in these units, or say convert")
        return found

    # ------------------------------------------------------------------ values
    def put(self, array: Array, manner: Manner) -> None:
        """Copy a field, or a block of its columns, from the host."""
        factor = self.factor(array, manner)
        if array.shape in self.accepted:
            into, self.missing = self._whole().reshape(array.shape), None
        else:
            into = self._block(array, manner.first)
        copy(into, array, factor)

    def zeros(self) -> Tensor:
        """Return zeros of this field's shape."""
        return torch.zeros(self.shape, dtype=self.torch_dtype)

    def _whole(self) -> Array:
        if self.value is None or self.lent:
            self.value, self.lent = torch.empty(self.shape, dtype=self.torch_dtype), False
        return self.value.numpy()

    def _block(self, array: Array, first: int) -> Array:
        block = slice(first - 1, first - 1 + array.shape[-1])
        if self.value is None:
            self.missing = np.ones(self.columns or 0, dtype=np.bool_)
            self.value, self.lent = torch.zeros(self.shape, dtype=self.torch_dtype), False
        elif self.lent:
            self.value, self.lent = self.value.clone(), False
        if self.missing is not None:
            self.missing[block] = False
        part = self.value.numpy()[..., block]
        return part if part.ndim == array.ndim else part[0]

    def bind(self, array: Array, manner: Manner) -> None:
        """Use memory of the host from here on.

        Raises
        ------
        CallError
            Other shape, kind or units than declared, or a block.
        """
        if array.shape not in self.accepted:
            raise self._other_shape(array)
        factor = self.factor(array, manner)
        fits = factor is SAME and array.dtype == self.dtype and array.flags.c_contiguous
        self.bound = Bound(array, manner, torch.from_numpy(array.reshape(self.shape)) if fits else None)

    def _from_bound(self, bound: Bound) -> Tensor:
        # what is not finite makes the sum so: one pass, and hardly ever a second one
        if bound.alias is not None and isfinite(bound.alias.sum().item()):
            return bound.alias
        if not np.isfinite(bound.array).all():
            raise self.fault(Code.DATA, "what is bound holds NaN or infinity")
        if bound.alias is not None:
            return bound.alias
        self.put(bound.array, bound.manner)
        return self._complete()

    def taken(self) -> Tensor:
        """Return what was put, or what stands in bound memory; from here on it is not changed by us.

        Raises
        ------
        CallError
            When nothing was put, not all columns, or bound memory holds NaN.
        """
        return self._complete() if self.bound is None else self._from_bound(self.bound)

    def trusted(self) -> Tensor:
        """Return the same; bound memory is not searched for NaN: the library has done so before the run."""
        bound = self.bound
        return self.taken() if bound is None or bound.alias is None else bound.alias

    def _complete(self) -> Tensor:
        if self.value is None and self.columns == 0:
            return self.zeros()  # a rank without columns has nothing to put
        if self.value is None:
            raise self.fault(Code.FIELD, "has not been put", "put or bind it before the run")
        if self.missing is not None:
            self._refuse_missing(self.missing)
        self.lent = True
        return self.value

    def _refuse_missing(self, missing: NDArray[np.bool_]) -> None:
        if missing.any():
            column = int(np.argmax(missing)) + 1
            raise self.fault(Code.FIELD, f"column {column} has not been put", "blocks must cover all columns")
        self.missing = None

    def show(self, value: Tensor) -> None:
        """Copy a value into bound memory, where there is any."""
        if self.bound is None:
            return
        if self.bound.alias is not None:
            self.bound.alias.copy_(value)
        else:
            self.read(self.bound.array, value, self.bound.manner)

    def read(self, array: Array, value: Tensor, manner: Manner) -> None:
        """Copy a field, or a block of its columns, to the host.

        Parameters
        ----------
        value
            Shape ``(member, *extra, cell)``.
        """
        factor = self.factor(array, manner)
        source = value.numpy()
        if array.shape not in self.accepted:
            source = source[..., manner.first - 1 : manner.first - 1 + array.shape[-1]]
        back = factor if factor is SAME else Conversion(1.0 / factor.factor, -factor.offset / factor.factor)
        copy(array, source.reshape(array.shape), back)

    @cached_property
    def port(self) -> str:
        """``component.variable``."""
        return f"{self.component}.{self.name}"


def _of(what: int, value: Conversion) -> Conversion:
    """Return how derivatives are converted where values are converted so.

    Tangents are differences, of which an offset is no part; adjoints are derivatives by the field.
    """
    if what == 0:
        return value
    return Conversion(value.factor if what == 1 else 1.0 / value.factor, 0.0)


def copy(into: Array, source: Array, factor: Conversion) -> None:
    """Copy values, in other units where these differ."""
    if factor is SAME:
        np.copyto(into, source, casting="unsafe")
    else:
        np.copyto(into, source * factor.factor + factor.offset, casting="unsafe")


def _fortran(extents: tuple[int, ...]) -> str:
    return "(" + ", ".join(str(n) for n in extents) + ")"


Slots: TypeAlias = Mapping[str, Slot]
