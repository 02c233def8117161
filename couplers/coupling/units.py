"""Conversion between CF units, through pint; what cannot be converted without a guess is refused.

Mass and amount are different things: ``kg kg-1`` and ``mol mol-1`` both reduce to a plain number, yet the
one times the other's value is wrong by a ratio of molar masses. They are told apart here. The parts per
million, billion and trillion (ppm, ppb, ppt, with or without v) are amount fractions, as they are in
atmospheric chemistry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tradewind.errors import UnitsError

if TYPE_CHECKING:
    import numpy as np
    import torch

    Values = TypeVar("Values", float, np.ndarray[Any, Any], torch.Tensor)

NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?=\s|$)(?!\s*[/*^.])\s*(.*)", re.DOTALL)
POWER = re.compile(r"([/*.\s]*)([A-Za-zµμ%°_]+)(?:\^|\*\*)?([+-]?\d+)?")
FRACTIONS = {"ppm": "1e-6 mol mol-1", "ppb": "1e-9 mol mol-1", "ppt": "1e-12 mol mol-1"}
FRACTIONS |= {f"{name}v": units for name, units in FRACTIONS.items()}
HINT = "use CF units, such as kg m-2 s-1, with the species in the name of the variable"


class Conversion(NamedTuple):
    """``y = factor * x + offset`` takes values from one unit to another."""

    factor: float
    offset: float


@dataclass(frozen=True)
class _Parsed:
    """A units string: a number times a pint unit, and what cancels in it (mass, amount or volume)."""

    text: str
    scale: float
    unit: Any
    cancelled: frozenset[str]


def conversion(source: str, target: str) -> Conversion:
    """Return how values in units `source` become values in units `target`.

    Raises
    ------
    UnitsError
        When either is unknown or empty, or one cannot become the other without a guess.
    """
    if not (source.strip() and target.strip()):
        what = f"units are missing in a conversion from {source!r} to {target!r}"
        raise UnitsError(what, hint="write 1 where a quantity has no dimension")
    if source.strip() == target.strip():
        return Conversion(1.0, 0.0)
    return _conversion(_parse(source), _parse(target))


def factor(source: str, target: str) -> float:
    """Return the number that values in `source` are multiplied by to become values in `target`.

    Raises
    ------
    UnitsError
        As `conversion` does, and when the conversion has an offset (temperatures): it is not linear.
    """
    found = conversion(source, target)
    if found.offset:
        raise UnitsError(
            f"from {source!r} to {target!r} is not a factor, it has an offset",
            hint="a linear operator cannot hold it: convert one side to kelvin where it is made",
        )
    return found.factor


def convertible(source: str, target: str) -> bool:
    """Return whether values in units `source` can become values in units `target`."""
    try:
        conversion(source, target)
    except UnitsError:
        return False
    return True


def convert(values: Values, source: str, target: str, where: str = "") -> Values:
    """Return `values` (a number, array or tensor of any shape) in units `target`.

    Parameters
    ----------
    where
        Variable or file that the values belong to, for errors.

    Raises
    ------
    UnitsError
        As `conversion` does.
    """
    try:
        scale, offset = conversion(source, target)
    except UnitsError as error:
        raise UnitsError(error.what, where=where, hint=error.hint) from error
    if (scale, offset) == (1.0, 0.0):
        return values
    return values * scale + offset if offset else values * scale


def _conversion(source: _Parsed, target: _Parsed) -> Conversion:
    a, b = source.unit, target.unit
    cannot = f"units {source.text!r} cannot become {target.text!r}"
    if a.dimensionality != b.dimensionality:
        raise UnitsError(f"{cannot}: {a.dimensionality} is not {b.dimensionality}", hint=_advice(a, b))
    if source.cancelled and target.cancelled and source.cancelled != target.cancelled:
        what = " and ".join(sorted({*source.cancelled, *target.cancelled}))
        raise UnitsError(
            f"{cannot}: fractions of {what} differ", hint="multiply by the ratio of molar masses"
        )
    quantity = _registry().Quantity
    # differences of temperatures have units of their own, which keeps the slope exact
    difference = (quantity(1.0, b) - quantity(0.0, b)).units
    slope = (quantity(1.0, a) - quantity(0.0, a)).to(difference).magnitude
    offset = quantity(0.0, a).to(b).magnitude
    return Conversion(float(source.scale * slope / target.scale), float(offset / target.scale))


def _advice(a: Any, b: Any) -> str:
    either = {str(d) for u in (a, b) for d in u.dimensionality}
    if {"[mass]", "[substance]"} <= either:
        return "mass and amount of substance differ by a molar mass: convert where the species is known"
    return "mend the units of one side, or connect another variable"


@cache
def _registry() -> Any:
    from cf_xarray.units import units

    return units


@cache
def _parse(text: str) -> _Parsed:
    spelt = " ".join(FRACTIONS.get(word, word) for word in text.split())
    match = NUMBER.fullmatch(spelt)
    scale, rest = (float(match[1]), match[2]) if match else (1.0, spelt)
    return _Parsed(text, scale, _unit(rest or "1", text), _cancelled(rest, text))


def _unit(rest: str, text: str) -> Any:
    from tokenize import TokenError

    from pint.errors import PintError

    try:
        return _registry().Unit("" if rest == "1" else rest)
    except (PintError, TokenError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise UnitsError(f"units {text!r} are unknown", hint=HINT) from error


def _cancelled(rest: str, text: str) -> frozenset[str]:
    """Return which of mass, amount and volume stand both above and below the line in `rest`."""
    above: dict[str, float] = {}
    below: dict[str, float] = {}
    for symbol, power in _powers(rest):
        for dimension, exponent in _unit(symbol, text).dimensionality.items():
            side = above if power * exponent > 0 else below
            side[dimension] = side.get(dimension, 0.0) + abs(power * exponent)
    kinds = {("[mass]", 1.0): "mass", ("[substance]", 1.0): "amount", ("[length]", 3.0): "volume"}
    both = {(d, min(above[d], below[d])) for d in above.keys() & below.keys()}
    return frozenset(kinds[pair] for pair in both if pair in kinds)


def _powers(rest: str) -> Iterator[tuple[str, int]]:
    for divider, symbol, power in POWER.findall(rest):
        yield symbol, int(power or 1) * (-1 if "/" in divider else 1)
