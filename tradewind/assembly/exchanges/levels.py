"""From the levels of an export to those of an import, by what the config says."""

from __future__ import annotations

from collections.abc import Sequence

from tradewind.assembly.exchanges.link import Link
from tradewind.config.sections.levels import LevelsSection
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.levels import (
    LevelMap,
    LevelWeights,
    OneLevel,
    interpolated,
    layered,
    selected,
    summed,
)
from tradewind.errors import ConfigError


def levels_of(link: Link) -> LevelMap | None:
    """Return the map between the levels of both ends; None where they have the same.

    Raises
    ------
    ConfigError, SpecError
        Dimensions that differ, or would after the map; levels and coordinates that are not there.
    """
    source, target = link.source.variable, link.target.variable
    if link.section.levels is None:
        if _lengths(source) != _lengths(target):
            raise ConfigError(
                f"{link.source.port} has {_words(source)}, {link.target.port} {_words(target)}",
                hint="say which under `levels`, such as levels: {select: 0} or levels: sum",
            )
        return None
    if not source.extra:
        raise ConfigError(f"{link.source.port} has no levels", hint="remove `levels`")
    return _fitting(link, _weights(link.section.levels, source, target))


def _lengths(variable: Variable) -> tuple[int, ...]:
    return tuple(length for _, length in variable.extra)


def _words(variable: Variable) -> str:
    return " and ".join(f"{length} of {name}" for name, length in variable.extra) or "no levels"


def _fitting(link: Link, weights: LevelWeights) -> LevelMap:
    outer, made = _lengths(link.source.variable)[:-1], len(weights.rows)
    wanted = _lengths(link.target.variable)
    if wanted == (*outer, made):
        return weights
    if wanted == outer and made == 1:
        return OneLevel(weights)
    raise ConfigError(f"`levels` makes {made} of them, {link.target.port} has {_words(link.target.variable)}")


def _weights(section: LevelsSection, source: Variable, target: Variable) -> LevelWeights:
    count = source.extra[-1][1]
    if section.select is not None:
        return selected(count, section.select)
    if section.sum is not None:
        return summed(count, section.sum.weights)
    if section.interpolate is not None:
        between = section.interpolate
        p = _coordinates(between.source or source.levels, source, "from", 0)
        q = _coordinates(between.target or target.levels, target, "to", 0)
        return interpolated(p, q, between.along, between.outside)
    if section.layers is None:
        raise ConfigError("`levels` says nothing")
    p = _coordinates(section.layers.source or source.interfaces, source, "from", 1)
    q = _coordinates(section.layers.target or target.interfaces, target, "to", 1)
    return layered(p, q, section.layers.keep, section.layers.outside)


def _coordinates(values: Sequence[float], variable: Variable, key: str, more: int) -> Sequence[float]:
    """Return coordinates, as many as a variable has levels, or `more`."""
    what = "interfaces" if more else "coordinates"
    if not values:
        raise ConfigError(f"the {what} of {variable.name!r} are not known", hint=f"give them as `{key}`")
    expected = (variable.extra[-1][1] if variable.extra else 1) + more
    if len(values) != expected:
        raise ConfigError(f"`{key}` has {len(values)} {what}, {variable.name!r} needs {expected}")
    return values
