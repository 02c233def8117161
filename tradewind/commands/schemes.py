"""Schemes of regridding in the words of the command line."""

from __future__ import annotations

from collections.abc import Callable

from tradewind.couplers.regrid.scheme import (
    Creep,
    Extrapolation,
    InverseDistance,
    Method,
    NearestSource,
    Norm,
    PoleKind,
    Poles,
    Scheme,
    named,
)
from tradewind.errors import ConfigError, did_you_mean


def scheme(method: Method | None, norm: Norm | None, poles: str | None, extrapolate: str | None) -> Scheme:
    """Return what the options mean; None is the default of each.

    Raises
    ------
    ConfigError
        Words that mean nothing.
    SpecError
        What does not go together.
    """
    return Scheme(
        method or Method.CONSERVATIVE,
        norm or Norm.FRACAREA,
        Poles() if poles is None else poles_of(poles),
        None if extrapolate is None else extrapolation_of(extrapolate),
    )


def poles_of(text: str) -> Poles:
    """Return the treatment of poles, such as ``allavg`` or ``npntavg:4``."""
    name, *numbers = text.split(":")
    kind = named(PoleKind, name)
    if not numbers:
        return Poles(kind)
    if kind is not PoleKind.NPNTAVG or len(numbers) > 1:
        raise ConfigError(
            f"--poles {text}: {name} takes no number", hint="npntavg:4 averages four neighbours"
        )
    return Poles(kind, int(_number(int, numbers[0], f"--poles {text}")))


def extrapolation_of(text: str) -> Extrapolation:
    """Return what unmapped targets take, such as ``nearest``, ``inverse_distance:8:2`` or ``creep:3``."""
    name, *numbers = text.split(":")
    if name not in EXTRAPOLATIONS or len(numbers) > len(EXTRAPOLATIONS[name][1]):
        hint = did_you_mean(name, EXTRAPOLATIONS) if name not in EXTRAPOLATIONS else "too many numbers"
        raise ConfigError(f"--extrapolate {text}: no such extrapolation", hint=hint)
    make, kinds = EXTRAPOLATIONS[name]
    return make(*(_number(k, n, f"--extrapolate {text}") for k, n in zip(kinds, numbers, strict=False)))


EXTRAPOLATIONS: dict[str, tuple[Callable[..., Extrapolation], tuple[type[int] | type[float], ...]]] = {
    "nearest": (NearestSource, ()),
    "inverse_distance": (InverseDistance, (int, float)),
    "creep": (Creep, (int,)),
}
"""Names, and the kinds of the numbers that may follow."""


def _number(kind: type[int] | type[float], text: str, where: str) -> int | float:
    try:
        return kind(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is no {'whole ' if kind is int else ''}number", where=where) from error
