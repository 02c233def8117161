"""Conversion between CF units, through pint; what cannot be converted without a guess is refused.

Mass and amount are different things: ``kg kg-1`` and ``mol mol-1`` both reduce to a plain number, yet the
one times the other's value is wrong by a ratio of molar masses. They are told apart here. The parts per
million, billion and trillion (ppm, ppb, ppt, with or without v) are amount fractions, as they are in
atmospheric chemistry.

With the molar mass M of a species they become each other: n = m / M, so kg m-2 s-1 becomes mol m-2 s-1, and
of a mass fraction w in dry air an amount fraction w M_air / M.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
DRY_AIR = 28.9644
"""Molar mass of dry air, g mol-1 (U.S. Standard Atmosphere 1976)."""
LIGHTEST = 1.0
"""Below the molar mass of hydrogen, g mol-1, a number is in other units."""
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


def conversion(source: str, target: str, molar_mass: float | None = None) -> Conversion:
    """Return how values in units `source` become values in units `target`.

    Parameters
    ----------
    molar_mass
        Of the species, g mol-1; without it, mass and amount of substance do not become each other.
        Fractions are fractions of dry air.

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
    ends = _parse(source), _parse(target)
    return _conversion(*ends) if molar_mass is None else _with_molar_mass(*ends, molar_mass)


def needs_molar_mass(source: str, target: str) -> bool:
    """Return whether `source` becomes `target` only with the molar mass of a species.

    Raises
    ------
    UnitsError
        When it cannot even then, as `conversion` says.
    """
    if convertible(source, target):
        return False
    conversion(source, target, DRY_AIR)
    return True


def molar_mass(value: float | str) -> float:
    """Return a molar mass in g mol-1 from a number of these, or a text with units such as ``0.016 kg mol-1``.

    Raises
    ------
    UnitsError
        Other units, or less than hydrogen has.
    """
    match = NUMBER.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, str) and (match is None or not match[2]):
        raise UnitsError(f"{value!r} is no molar mass", hint="write 16.04, or 16.04 g mol-1")
    grams = float(value) if match is None else float(match[1]) * factor(match[2], "g mol-1")
    if not LIGHTEST <= grams < float("inf"):
        raise UnitsError(f"a molar mass of {grams:g} g mol-1", hint="write it in g mol-1, methane's is 16.04")
    return grams


def has_offset(units: str) -> bool:
    """Return whether zero of these units is not nothing, as 0 degC is not 0 K.

    Raises
    ------
    UnitsError
        When they are unknown or empty.
    """
    if not units.strip():
        raise UnitsError("units are missing", hint="write 1 where a quantity has no dimension")
    return bool(_registry().Quantity(0.0, _parse(units).unit).to_base_units().magnitude)


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
            hint="a factor alone cannot hold it: convert one side to kelvin where it is made",
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
        found = {*source.cancelled, *target.cancelled}
        known = found == {"mass", "amount"}
        hint = "give the molar_mass of the species" if known else "convert where it is known what it is"
        raise UnitsError(f"{cannot}: fractions of {' and '.join(sorted(found))} differ", hint=hint)
    quantity = _registry().Quantity
    # differences of temperatures have units of their own, which keeps the slope exact
    difference = (quantity(1.0, b) - quantity(0.0, b)).units
    slope = (quantity(1.0, a) - quantity(0.0, a)).to(difference).magnitude
    offset = quantity(0.0, a).to(b).magnitude
    return Conversion(float(source.scale * slope / target.scale), float(offset / target.scale))


def _with_molar_mass(source: _Parsed, target: _Parsed, molar_mass: float) -> Conversion:
    kilograms = molar_mass * 1e-3
    if {*source.cancelled} | {*target.cancelled} == {"mass", "amount"}:
        ratio = DRY_AIR / molar_mass
        times = ratio if source.cancelled == {"mass"} else 1.0 / ratio
        plain = frozenset[str]()
        found = _conversion(replace(source, cancelled=plain), replace(target, cancelled=plain))
        return Conversion(found.factor * times, found.offset)
    power = _moles_for_kilograms(source, target)
    if not power:
        return _conversion(source, target)
    # as if everything that is counted in moles were weighed
    unit = source.unit * (_registry().Unit("mol kg-1") ** power)
    found = _conversion(replace(source, unit=unit), target)
    return Conversion(found.factor / kilograms**power, found.offset)


def _moles_for_kilograms(source: _Parsed, target: _Parsed) -> int:
    """Return 1 where source is a mass and target the same amount of substance, -1 the other way, else 0."""
    a, b = dict(source.unit.dimensionality), dict(target.unit.dimensionality)
    mass, amount = (b.get(d, 0.0) - a.get(d, 0.0) for d in ("[mass]", "[substance]"))
    plain = not (source.cancelled or target.cancelled)
    if not (plain and a and b and abs(mass) == 1.0 and mass == -amount):
        return 0
    above = a if mass < 0 else b
    # below the line it may be the air's: mol kg-1 says nothing of the species
    return int(-mass) if above.get("[mass]", 0.0) > 0 else 0


def _advice(a: Any, b: Any) -> str:
    either = {str(d) for u in (a, b) for d in u.dimensionality}
    if {"[mass]", "[substance]"} <= either:
        return "mass and amount of substance differ by a molar mass: give the species' molar_mass"
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
