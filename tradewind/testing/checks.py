"""What the kit's classes check with: comparisons that say what differs, and copies to compare with."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields, is_dataclass
from types import TracebackType
from typing import Any
from unittest import SkipTest

import torch
from torch import Tensor


def require(condition: object, what: str) -> None:
    """Fail with `what` unless `condition` holds."""
    if not condition:
        raise AssertionError(what)


def skip(reason: str) -> None:
    """Skip the test that calls this."""
    raise SkipTest(reason)


def require_same(a: Any, b: Any, what: str) -> None:
    """Fail unless `a` and `b`, of any plain structure, hold tensors of the same bits (NaN equals NaN)."""
    left, right = tensors(a), tensors(b)
    require(left.keys() == right.keys(), f"{what}: {sorted(left)} are not {sorted(right)}")
    for path, value in left.items():
        other = right[path]
        same = value.shape == other.shape and value.dtype == other.dtype
        same = same and torch.equal(value.isnan(), other.isnan())
        same = same and torch.equal(value.nan_to_num(), other.nan_to_num())
        require(same, f"{what}: {path or 'the result'} differs")


def require_close(a: Mapping[Any, Tensor], b: Mapping[Any, Tensor], tolerance: float, what: str) -> None:
    """Fail unless ``|a - b| <= tolerance |b|`` in the norm over all tensors of the two mappings."""
    require(a.keys() == b.keys(), f"{what}: {list(a)} are not {list(b)}")
    apart = sum(float((a[k] - b[k]).square().sum()) for k in a) ** 0.5
    size = sum(float(b[k].square().sum()) for k in b) ** 0.5
    require(apart <= tolerance * max(size, 1e-300), f"{what}: {apart:.3g} apart, of {size:.3g}")


def tensors(value: Any, path: str = "") -> dict[str, Tensor]:
    """Return all tensors and numbers in a structure of mappings, sequences and dataclasses, by path."""
    if isinstance(value, Tensor):
        return {path: value.detach()}
    if isinstance(value, bool | int | float):
        return {path: torch.tensor(value)}
    found: dict[str, Tensor] = {}
    for key, inner in _inside(value):
        found |= tensors(inner, f"{path}.{key}" if path else key)
    return found


def _inside(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(k), v) for k, v in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [(str(k), v) for k, v in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, type):
        return [(f.name, getattr(value, f.name)) for f in fields(value)]
    return []


class Unchanged(AbstractContextManager[None]):
    """Fails when what it is given changes in its body."""

    def __init__(self, what: str, *values: Any) -> None:
        self.what, self.values = what, values
        self._before = [copy.deepcopy(tensors(v)) for v in values]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            for value, before in zip(self.values, self._before, strict=True):
                require_same(tensors(value), before, f"{self.what} changes what it was given")


class Refused(AbstractContextManager[None]):
    """Fails unless its body raises one of `kinds`."""

    def __init__(self, what: str, *kinds: type[Exception]) -> None:
        self.what, self.kinds = what, kinds

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        names = " or ".join(k.__name__ for k in self.kinds)
        require(error is not None, f"{self.what} is accepted; raise {names}")
        return isinstance(error, self.kinds)
