"""Arithmetic on fields by name: what goes into a step, and what comes out of it, as one vector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

Vector: TypeAlias = Mapping[Any, Tensor]
"""Fields by name; absent ones are zero."""
Scales: TypeAlias = Mapping[Any, "float | Tensor"]


def norm(value: Tensor) -> float:
    """Return the Euclidean norm of all values."""
    return float(value.to(torch.float64).square().sum().sqrt())


def rms(value: Tensor) -> float:
    """Return the root mean square of all values, 0 where there are none."""
    return norm(value) / math.sqrt(value.numel()) if value.numel() else 0.0


def dot(a: Vector, b: Vector) -> float:
    """Return the sum of products over all names that both have."""
    return sum(float((a[k].to(torch.float64) * b[k].to(torch.float64)).sum()) for k in a if k in b)


def moved(x: Vector, length: float, by: Vector) -> dict[Any, Tensor]:
    """Return ``x + length * by``."""
    return {k: v + length * by[k] if k in by else v.clone() for k, v in x.items()}


def times(factor: float, x: Vector) -> dict[Any, Tensor]:
    """Return ``factor * x``."""
    return {k: factor * v for k, v in x.items()}


def difference(a: Vector, b: Vector) -> dict[Any, Tensor]:
    """Return ``a - b``, over the names of either."""
    out = {k: v - b[k] if k in b else v for k, v in a.items()}
    return out | {k: -v for k, v in b.items() if k not in a}


def zeros(x: Vector) -> dict[Any, Tensor]:
    """Return zeros of the same shapes."""
    return {k: torch.zeros_like(v) for k, v in x.items()}


def random(like: Vector, scales: Scales, seed: int) -> dict[Any, Tensor]:
    """Return normal random numbers in the shapes of `like`, times `scales` (1 where none is given)."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {k: torch.randn(v.shape, generator=generator, dtype=torch.float64) for k, v in like.items()}
    return {k: (scales.get(k, 1.0) * v).to(like[k].dtype) for k, v in drawn.items()}


def sizes(x: Vector) -> dict[Any, float | Tensor]:
    """Return the root mean square of each field, 1 where it is zero or not finite."""
    found = {k: rms(v) for k, v in x.items()}
    return {k: size if size > 0 and math.isfinite(size) else 1.0 for k, size in found.items()}


def precision(x: Vector) -> float:
    """Return the largest relative rounding of any field; that of float64 where there is none."""
    found = [torch.finfo(v.dtype).eps for v in x.values() if v.is_floating_point()]
    return max(found, default=torch.finfo(torch.float64).eps)
