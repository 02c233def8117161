"""Reading levels: which one, or a straight line between two."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import sparse

from tradewind.couplers.assimilation.observing import Observed
from tradewind.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


PICK = "say which one is read: `level`"


def level_of(
    observed: Observed, level: int | None, hint: str = "say which one is read: `level`"
) -> int | None:
    """Return which level is read; None of a variable without levels.

    Parameters
    ----------
    hint
        What to do where there are levels and none is named.

    Raises
    ------
    ConfigError
        When a variable has levels and none is named, or one is named that it has not, or it has more axes.
    """
    extra, name = observed.extra, observed.port
    if len(extra) > 1:
        raise ConfigError(
            f"{name} has the axes {[n for n, _ in observed.variable.extra]}", hint="one is known"
        )
    if not extra and level is not None:
        raise ConfigError(f"{name} has no levels", hint="leave out `level`")
    if extra and level is None:
        raise ConfigError(f"{name} has {extra[0]} levels", hint=hint)
    if extra and level is not None and level >= extra[0]:
        raise ConfigError(f"{name} has no level {level}", hint=f"they count from 0 to {extra[0] - 1}")
    return level


def only_levels(observed: Observed) -> int:
    """Return how many levels a variable has.

    Raises
    ------
    ConfigError
        When it has none, or more axes than that.
    """
    if len(observed.extra) != 1:
        axes = [name for name, _ in observed.variable.extra]
        raise ConfigError(f"{observed.port} has the axes {axes}", hint="observe a variable by level")
    return observed.extra[0]


def coordinates_of(observed: Observed, given: tuple[float, ...] | None) -> Array:
    """Return the coordinates of a variable's levels: those `given`, else its own, shape ``(level,)``.

    Raises
    ------
    ConfigError
        When there are none, another number than levels, or they neither rise nor fall throughout.
    """
    count = only_levels(observed)
    levels = np.array(given or observed.variable.levels, dtype=np.float64)
    if len(levels) != count:
        what = f"{len(levels)} coordinates for the {count} levels of {observed.port}"
        raise ConfigError(what, hint="give one for each: `levels`")
    steps = np.diff(levels)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise ConfigError(f"levels {levels.tolist()} neither rise nor fall throughout")
    return levels


def are_fractions(levels: Array) -> bool:
    """Return whether levels are fractions of the pressure at the ground (sigma): none is above 1."""
    return bool((levels >= 0.0).all() and (levels <= 1.0).all())


def interfaces_of(observed: Observed, given: tuple[float, ...] | None) -> Array | None:
    """Return the coordinates between a variable's levels, shape ``(level + 1,)``; None: not known.

    Parameters
    ----------
    given
        Levels that a user told in place of the variable's own: nothing is known between these.
    """
    if given is not None or not observed.variable.interfaces:
        return None
    return np.array(observed.variable.interfaces, dtype=np.float64)


def between_levels(levels: Array, wanted: Array) -> sparse.csr_array:
    """Return the weights of the two levels around each value, linear in the coordinate.

    Parameters
    ----------
    levels
        Coordinates, rising or falling, shape ``(level,)``.
    wanted
        Shape ``(m,)``.

    Returns
    -------
    Shape ``(m, level)``; the row of a value beyond the outermost levels is empty.
    """
    order = np.argsort(levels)
    rising = levels[order]
    inside = np.flatnonzero((wanted >= rising[0]) & (wanted <= rising[-1]))
    upper = np.clip(np.searchsorted(rising, wanted[inside], side="right"), 1, max(len(rising) - 1, 1))
    if len(rising) == 1:
        return sparse.csr_array((np.ones(len(inside)), (inside, inside * 0)), shape=(len(wanted), 1))
    below, above = rising[upper - 1], rising[upper]
    share = (wanted[inside] - below) / (above - below)
    column = order[np.concatenate([upper - 1, upper])]
    row, weight = np.tile(inside, 2), np.concatenate([1.0 - share, share])
    found = sparse.csr_array((weight, (row, column)), shape=(len(wanted), len(levels)))
    found.eliminate_zeros()
    return found
