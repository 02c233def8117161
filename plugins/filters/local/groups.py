"""Fields that are analysed together: on the same cells, at the same levels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tradewind.couplers.assimilation import Ensemble
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import SpecError
from tradewind.plugins.filters.options import Localization
from tradewind.plugins.filters.transform.applying import Part


class Group(NamedTuple):
    """Fields with one set of points.

    Attributes
    ----------
    layout
        Of their cells.
    levels
        Vertical coordinate of each level that has points of its own; empty: levels share the points.
    names
        The fields.
    """

    layout: Layout
    levels: tuple[float, ...]
    names: tuple[str, ...]

    def parts(self, levels: int, number: int, first: int) -> Iterator[Part]:
        """Yield where level `number` lies among all `levels` of a field, for cells from `first` on."""
        if not self.levels:
            yield Part(0, levels, first)
            return
        for start in range(number, levels, len(self.levels)):
            yield Part(start, start + 1, first)


def grouped(ensemble: Ensemble, localization: Localization) -> tuple[list[Group], tuple[str, ...]]:
    """Return the groups of an ensemble's fields, and the fields that have no place.

    Raises
    ------
    SpecError
        When a field's levels are not those of its vertical coordinate.
    """
    found: dict[tuple[Layout, tuple[float, ...]], list[str]] = {}
    nowhere = []
    for name in ensemble.fields:
        layout = ensemble.layouts.get(name)
        if layout is None:
            nowhere.append(name)
            continue
        levels = _levels(ensemble, name) if localization.vertical is not None else ()
        found.setdefault((layout, levels), []).append(name)
    return [Group(layout, levels, tuple(names)) for (layout, levels), names in found.items()], tuple(nowhere)


def _levels(ensemble: Ensemble, name: str) -> tuple[float, ...]:
    if name not in ensemble.levels:
        return ()
    levels = tuple(ensemble.levels[name].tolist())
    field = ensemble.fields[name]
    if field.ndim < 3 or field.shape[-2] != len(levels):
        what = f"{len(levels)} levels for a field of shape {tuple(field.shape)}"
        raise SpecError(what, where=f"field {name!r}", hint="give (member, *extra, level, cell)")
    return levels
