"""What an exchange multiplies by and adds: units, molar masses, scale and offset."""

from __future__ import annotations

from tradewind.assembly.exchanges.link import Link
from tradewind.couplers.coupling.time.timing import Reduction
from tradewind.couplers.coupling.units import Conversion, conversion, has_offset, needs_molar_mass
from tradewind.errors import ConfigError, UnitsError


def check_units(link: Link) -> None:
    """Refuse an import that declares other units than the config expects.

    Raises
    ------
    ConfigError, UnitsError
        Other units, or such as cannot become each other.
    """
    wanted, declared = link.section.units, link.target.variable.units
    if wanted is not None and conversion(wanted, declared) != (1.0, 0.0):
        raise ConfigError(f"{link.target.port} is in {declared!r}, not in {wanted!r}")


def conversion_of(link: Link, reduction: Reduction) -> Conversion:
    """Return factor and offset from the value of a period to the import: units first, then the config's.

    Raises
    ------
    UnitsError
        Units that cannot become each other.
    ConfigError
        Sums of what has no zero.
    """
    sent, taken, section = link.source.variable.units, link.target.variable.units, link.section
    if reduction.is_amount and has_offset(sent):
        raise ConfigError(
            f"the {reduction} of values in {sent!r} means nothing: their zero is not nothing",
            hint="use mean, or export kelvin",
        )
    # the integral over a period is in units times second
    sent = f"{sent} s" if reduction is Reduction.INTEGRAL else sent
    found = _converted(link, sent, taken)
    return Conversion(section.scale * found.factor, section.scale * found.offset + section.offset)


def _converted(link: Link, sent: str, taken: str) -> Conversion:
    mass = link.section.molar_mass
    try:
        found = conversion(sent, taken, mass)
    except UnitsError as error:
        what = error.what if sent == link.source.variable.units else f"{error.what} (an integral over time)"
        raise UnitsError(what, where=error.where, hint=error.hint) from error
    if mass is not None and not needs_molar_mass(sent, taken):
        link.note(f"molar_mass changes nothing, {sent} becomes {taken} without it")
    return found
