"""A training from footprints to a file: fit, hold-outs that score it, error model and domain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls

from tradewind.errors import DataError
from tradewind.surrogates.checkpoint import ErrorModel
from tradewind.surrogates.domain import Domain
from tradewind.surrogates.footprints.emulator import FootprintEmulator
from tradewind.surrogates.footprints.files import FootprintHeader
from tradewind.surrogates.footprints.fitting import FitPlan, learn
from tradewind.surrogates.footprints.hold_outs import Flags, blocks, dealt, left_out, runs_left_out
from tradewind.surrogates.footprints.observations import Footprints, Numbers
from tradewind.surrogates.footprints.plume import KNOBS
from tradewind.surrogates.footprints.scores import log_r_squared, r_squared
from tradewind.surrogates.footprints.situations import FEATURES, Situations

FOLDS = 5
WIDER = 0.25
"""By how much the domain is wider than what was seen: physics goes a little beyond it."""


@dataclass(frozen=True)
class HeldOut:
    """What hold-outs told: footprints of the hours that could be held out, and what is true there."""

    told: Numbers
    true: Numbers


def train_footprints(
    footprints: Footprints,
    plan: FitPlan,
    provenance: Mapping[str, Any] | None = None,
    step: Callable[[], object] = lambda: None,
) -> FootprintEmulator:
    """Return an emulator fitted to all hours, scored on hours that its scoring fits did not see.

    Parameters
    ----------
    provenance
        For the header.
    step
        Called after each fit.

    Raises
    ------
    DataError
        When there is one block of hours only, or the footprints are all alike.
    """
    scores, error = _examined(footprints, plan, step)
    ensemble = learn(footprints, plan)
    step()
    features = Situations.of(footprints.hours, footprints.window).features
    knobs = torch.stack([plume.knobs.detach() for plume in ensemble.plumes])
    header = FootprintHeader(
        parameters=knobs.numel(),
        members=len(knobs),
        knobs=tuple(KNOBS),
        firmness=ensemble.firmness,
        tracers=tuple(np.unique(footprints.hours.tracer).tolist()),
        features=FEATURES,
        training_period=period(footprints),
        provenance=dict(provenance or {}),
        code_version=version("tradewind"),
        seed=plan.seed,
        scores=scores,
        domain=Domain.around(features, WIDER).bounds(),
        error=error,
    )
    return FootprintEmulator(ensemble, header)


def fit_count(footprints: Footprints) -> int:
    """Return how many fits `train_footprints` makes."""
    return sum(len(splits) for splits in _splits(footprints).values()) + 1


def _examined(
    footprints: Footprints, plan: FitPlan, step: Callable[[], object]
) -> tuple[dict[str, float], ErrorModel]:
    """Return scores by kind of hold-out, and the error model of the hardest that could be done."""
    held = {name: hold_out(footprints, some, plan, step) for name, some in _splits(footprints).items()}
    found: dict[str, float] = {}
    for name, one in held.items():
        found |= {
            f"r2_{name}": r_squared(one.told, one.true),
            f"log_r2_{name}": log_r_squared(one.told, one.true),
        }
    return found, fit_error(held.get("runs", held["blocks"]))


def _splits(footprints: Footprints) -> dict[str, list[tuple[Flags, Flags]]]:
    hours = footprints.hours
    found = {
        "blocks": list(left_out(dealt(blocks(hours), FOLDS))),
        "runs": list(runs_left_out(hours.run, hours.tracer)),
    }
    return {name: splits for name, splits in found.items() if splits}


def hold_out(
    footprints: Footprints,
    splits: Iterable[tuple[Flags, Flags]],
    plan: FitPlan,
    step: Callable[[], object] = lambda: None,
) -> HeldOut:
    """Return what fits tell of hours that they did not see.

    Parameters
    ----------
    splits
        Which hours are learnt from, and which are told.
    """
    told = np.full(footprints.values.shape, np.nan)
    for learnt, held in splits:
        ensemble = learn(footprints[learnt], plan, footprints.hours)
        told[held] = ensemble.tell(footprints.hours[held], footprints.window, footprints.hours)
        step()
    there = np.isfinite(told).all(axis=(1, 2))
    if not there.any():
        raise DataError("no hour could be held out", where="footprints")
    return HeldOut(told[there], footprints.values[there])


def fit_error(held: HeldOut) -> ErrorModel:
    """Return floor and relative part of the error's variance, by least squares that cannot be negative."""
    square = held.told.ravel() ** 2
    columns = np.column_stack([np.ones_like(square), square])
    (floor, relative), _ = nnls(columns, (held.told - held.true).ravel() ** 2)
    return ErrorModel(floor=float(np.sqrt(floor)), relative=float(np.sqrt(relative)))


def period(footprints: Footprints) -> tuple[str, str]:
    """Return the first and the last hour (ISO 8601)."""
    ends = (footprints.hours.time.min(), footprints.hours.time.max())
    first, last = (np.datetime64(int(hours), "h").astype("datetime64[s]") for hours in ends)
    return str(first), str(last)
