"""Real footprints of a particle model, told from the weather at the inlet: our plume beside boosted trees.

Blocks of 24 hours are held out together, in five folds, and whole runs, for which only runs of the same
tracer are learnt from. The plume's parameters, and how firmly they are held, see no held-out hour.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Progress
    from tradewind.surrogates.footprints.hold_outs import Flags
    from tradewind.surrogates.footprints.observations import Footprints, Hours, Numbers, Window

FILE = "TRADEWIND_FOOTPRINTS"
"""Variable of the environment that names another file."""
SHARED = "TRADEWIND_SHARED"
FOLDS = 5


class Teller(Protocol):
    """What has learnt footprints."""

    def tell(self, hours: Hours, window: Window, known: Hours | None = None) -> Numbers:
        """Return footprints of `hours`, shape ``(hour, ny, nx)``."""


class School(Protocol):
    """Makes a `Teller` of footprints and of the hours whose weather is known."""

    def __call__(self, learnt: Footprints, known: Hours) -> Teller:
        """Return what has learnt."""


def figures(progress: Progress) -> dict[str, Any]:
    """Return R² of the plume, of trees, and of copying the nearest hour; None where there are no data."""
    path = data_file()
    if path is None:
        return dict.fromkeys(_keys())
    from tradewind.surrogates.footprints.observations import Footprints

    footprints = Footprints.read(path)
    step = progress("footprints told from weather", len(schools()) * len(hold_outs(footprints)))
    found: dict[str, Any] = {"footprint_hours": len(footprints), "footprint_blocks": block_count(footprints)}
    for key, learner in schools().items():
        for name, splits in hold_outs(footprints).items():
            scores = scored(footprints, splits, learner)
            found |= {f"footprint_{score}_{name}{key}": value for score, value in scores.items()}
            step()
    found["footprint_r2_shuffled_copied"] = leak(footprints)
    return {key: better_trees(found, key) for key in _keys()} | found


def better_trees(found: Mapping[str, Any], key: str) -> float | None:
    """Return a figure; of trees, that of the scale that suits them better."""
    known = [found[name] for name in (key, f"{key}_plain", f"{key}_log") if name in found]
    return max(known, default=None)


def leak(footprints: Footprints) -> float | None:
    """Return R² of copying the nearest hour where single hours are held out, as they should not be."""
    from tradewind.surrogates.footprints.hold_outs import dealt, left_out

    if len(footprints) < FOLDS:
        return None
    splits = left_out(dealt(np.arange(len(footprints)), FOLDS, seed=0))
    return scored(footprints, splits, schools()["_copied"])["r2"]


def data_file() -> Path | None:
    """Return the file of footprints: that of the environment, or that of the reference data."""
    named, shared = os.environ.get(FILE), os.environ.get(SHARED)
    if named:
        return Path(named)
    path = Path(shared or "") / "data" / "name_footprints.nc"
    return path if shared and path.is_file() else None


def _keys() -> list[str]:
    names = (f"footprint_r2_{name}{key}" for name in ("blocks", "runs") for key in ("", "_trees"))
    return list(names)


def schools() -> dict[str, School]:
    """Return who learns, by the ending of the figures' keys."""
    from tradewind.surrogates.footprints.fitting import learn
    from tradewind.surrogates.footprints.nearest import Nearest
    from tradewind.surrogates.footprints.trees import Scale, Trees

    return {
        "": lambda learnt, known: learn(learnt, known=known),
        "_trees_plain": lambda learnt, known: Trees().learn(learnt, known),
        "_trees_log": lambda learnt, known: Trees(Scale.LOGARITHM).learn(learnt, known),
        "_copied": lambda learnt, known: Nearest(learnt),
    }


def hold_outs(footprints: Footprints) -> dict[str, list[tuple[Flags, Flags]]]:
    """Return what is learnt from and what is told, by hold-out; runs that cannot be told are passed over."""
    from tradewind.surrogates.footprints import hold_outs as out

    hours = footprints.hours
    found = {"runs": list(out.runs_left_out(hours.run, hours.tracer))}
    if block_count(footprints) > 1:
        found["blocks"] = list(out.left_out(out.dealt(out.blocks(hours), FOLDS)))
    if len(np.unique(hours.run)) > 1:
        found["runs_together"] = list(out.left_out(hours.run))
    return {name: splits for name, splits in found.items() if splits}


def block_count(footprints: Footprints) -> int:
    """Return the number of blocks of 24 hours."""
    from tradewind.surrogates.footprints.hold_outs import blocks

    return len(np.unique(blocks(footprints.hours)))


def scored(footprints: Footprints, splits: Iterable[tuple[Flags, Flags]], school: School) -> dict[str, float]:
    """Return R² of all that was told, pooled, by kind of score: as it is, by logarithm, and by tracer."""
    from tradewind.surrogates.footprints.scores import log_r_squared, r_squared

    told = np.full(footprints.values.shape, np.nan)
    for learnt, held in splits:
        teller = school(footprints[learnt], footprints.hours)
        told[held] = teller.tell(footprints.hours[held], footprints.window, footprints.hours)
    there = np.isfinite(told).all(axis=(1, 2))
    pair = told[there], footprints.values[there]
    found = {"r2": r_squared(*pair), "log_r2": log_r_squared(*pair)}
    for tracer in np.unique(footprints.hours.tracer[there]):
        of_tracer = footprints.hours.tracer[there] == tracer
        found[f"r2_{tracer.replace('-', '_')}"] = r_squared(pair[0][of_tracer], pair[1][of_tracer])
    return found
