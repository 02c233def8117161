"""What a variable of a file measures: its units and kind, from CF attributes or from what the user says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tradewind.couplers.coupling.fields import Kind
from tradewind.couplers.coupling.units import conversion, convertible
from tradewind.errors import DataError
from tradewind.plugins.prescribed.options import Extent, Nature

FLUX_PER_AREA = ("kg m-2 s-1", "mol m-2 s-1", "W m-2", "m-2 s-1")
FLUX_OF_A_CELL = ("kg s-1", "mol s-1", "W", "m3 s-1")
AMOUNT_OF_A_CELL = ("kg", "mol", "J", "m3", "m2")
RATES = {"flux", "rate", "tendency"}
"""Words of CF standard names for what moves, or changes, in a time."""
KINDS = {
    (Nature.STATE, Extent.INTENSIVE): Kind.STATE_INTENSIVE,
    (Nature.STATE, Extent.EXTENSIVE): Kind.STATE_EXTENSIVE,
    (Nature.FLUX, Extent.INTENSIVE): Kind.FLUX_INTENSIVE,
    (Nature.FLUX, Extent.EXTENSIVE): Kind.FLUX_EXTENSIVE,
}


def units_of(attributes: Mapping[str, Any], said: str | None, where: str) -> tuple[str, str]:
    """Return the units of the file's values, and those that they are wanted in.

    Raises
    ------
    DataError
        When neither the file nor the user says what they are.
    UnitsError
        When the one cannot become the other, or units are unknown.
    """
    written = str(attributes.get("units", "")).strip()
    if not (written or said):
        hint = "give them under `variables:`, 1 where there is no dimension"
        raise DataError("has no units", where=where, hint=hint)
    wanted = said or written
    conversion(written or wanted, wanted)
    return written or wanted, wanted


def kind_of(
    units: str, attributes: Mapping[str, Any], said: tuple[Nature | None, Extent | None], where: str
) -> Kind:
    """Return what a variable measures.

    Mass, amount or energy in a time are fluxes, those of a whole cell extensive. Of other units with a time
    below the line (m s-1 is a wind, or precipitation) the standard name tells: one with *flux*, *rate* or
    *tendency* is a flux. All else are states.

    Parameters
    ----------
    said
        What the user says; None where it is to be found out.

    Raises
    ------
    DataError
        When neither units nor standard name nor user tell a flux from a state.
    """
    nature, extent = said
    found = _by_units(units)
    if nature is None:
        nature = found[0] or _by_name(units, attributes, where)
    return KINDS[nature, extent or found[1]]


def _by_units(units: str) -> tuple[Nature | None, Extent]:
    if _is_any(units, FLUX_PER_AREA):
        return Nature.FLUX, Extent.INTENSIVE
    if _is_any(units, FLUX_OF_A_CELL):
        return Nature.FLUX, Extent.EXTENSIVE
    if _is_any(units, AMOUNT_OF_A_CELL):
        return Nature.STATE, Extent.EXTENSIVE
    return (None if _is_per_time(units) else Nature.STATE), Extent.INTENSIVE


def _is_any(units: str, known: Iterable[str]) -> bool:
    return any(convertible(units, other) for other in known)


def _is_per_time(units: str) -> bool:
    """Return whether a time stands below the line: an s added below leaves a square, one above cancels."""
    from cf_xarray.units import units as registry
    from pint.errors import PintError

    try:
        return registry.Unit(units).dimensionality.get("[time]", 0) == -1
    except (PintError, TypeError, ValueError):
        return False  # fractions such as ppb, and numbers: known to `conversion` alone


def _by_name(units: str, attributes: Mapping[str, Any], where: str) -> Nature:
    name = str(attributes.get("standard_name", ""))
    if not name:
        what = f"is something in {units!r} a state (as a velocity) or a flux (as a rate)?"
        raise DataError(what, where=where, hint="say `kind: state` or `kind: flux` under `variables:`")
    return Nature.FLUX if RATES & set(name.split("_")) else Nature.STATE
