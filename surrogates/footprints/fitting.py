"""Fits the plume, and chooses how firmly physics holds its parameters by hold-outs within what is learnt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tradewind.errors import DataError
from tradewind.surrogates.footprints.hold_outs import blocks, dealt, left_out
from tradewind.surrogates.footprints.observations import Footprints, Hours, Numbers, Window
from tradewind.surrogates.footprints.plume import Plume
from tradewind.surrogates.footprints.scores import r_squared
from tradewind.surrogates.footprints.situations import Situations

Learnt = Callable[[Footprints], "Ensemble"]


@dataclass(frozen=True)
class FitPlan:
    """How the plume is fitted.

    Attributes
    ----------
    firmness
        Weights of the parameters' prior that are tried, from firm to loose; one is not tried but taken.
    folds
        Inner hold-outs that choose among them.
    iterations
        Steps of L-BFGS of a fit from scratch; a fit that goes on from another takes half.
    every
        Of the hours, one in so many is learnt from: neighbours are nearly copies.
    seed
        Deals blocks to the inner hold-outs.
    """

    firmness: Sequence[float] = (0.1, 0.02)
    folds: int = 2
    iterations: int = 30
    every: int = 2
    seed: int = 0


class Ensemble:
    """Plumes of the same data with other blocks left out; they answer by their mean.

    Parameters
    ----------
    plumes
        At least one.
    firmness
        Weight of the prior that was chosen.
    """

    def __init__(self, plumes: Sequence[Plume], firmness: float) -> None:
        self.plumes, self.firmness = tuple(plumes), firmness

    def __call__(self, x: Situations) -> Tensor:
        """Return footprints, shape ``(hour, ny, nx)``, without gradients."""
        with torch.no_grad():
            return torch.stack([plume(x) for plume in self.plumes]).mean(dim=0)

    def tell(self, hours: Hours, window: Window, known: Hours | None = None) -> Numbers:
        """Return footprints of `hours`, shape ``(hour, ny, nx)``."""
        return np.asarray(self(Situations.of(hours, window, known)).numpy())


@dataclass(frozen=True)
class Lesson:
    """What a fit sees: situations and footprints, shape ``(hour, ny, nx)``."""

    x: Situations
    y: Tensor

    def part(self, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Lesson:
        """Return some of the hours."""
        flags = torch.as_tensor(chosen)
        return Lesson(self.x[flags], self.y[flags])


def learn(footprints: Footprints, plan: FitPlan | None = None, known: Hours | None = None) -> Ensemble:
    """Return plumes fitted to `footprints`.

    Parameters
    ----------
    known
        Hours whose weather is known; by default those of `footprints`.

    Raises
    ------
    DataError
        When the footprints are all alike, or the fit is lost.
    """
    plan = plan or FitPlan()
    chosen = np.arange(len(footprints)) % plan.every == 0
    part = footprints[chosen]
    x = Situations.of(part.hours, part.window, footprints.hours if known is None else known)
    lesson = Lesson(x, torch.as_tensor(part.values, dtype=torch.float64))
    firmness, members = _choose(lesson, part.hours, plan)
    whole = fit(lesson, Plume(), firmness, plan.iterations)
    return Ensemble([whole, *members], firmness)


def _choose(lesson: Lesson, hours: Hours, plan: FitPlan) -> tuple[float, list[Plume]]:
    """Return the firmness that tells inner hold-outs best, and the plumes that told them."""
    groups = blocks(hours)
    if len(np.unique(groups)) < plan.folds or len(plan.firmness) == 1:
        return plan.firmness[-1], []
    told = [torch.zeros_like(lesson.y) for _ in plan.firmness]
    plumes: list[list[Plume]] = [[] for _ in plan.firmness]
    for learnt, held in left_out(dealt(groups, plan.folds, plan.seed)):
        for k, plume in enumerate(_loosened(lesson.part(learnt), plan)):
            plumes[k].append(plume)
            with torch.no_grad():
                told[k][torch.as_tensor(held)] = plume(lesson.part(held).x)
    best = max(range(len(told)), key=lambda k: r_squared(told[k].numpy(), lesson.y.numpy()))
    return plan.firmness[best], plumes[best]


def _loosened(lesson: Lesson, plan: FitPlan) -> list[Plume]:
    """Return a plume for each firmness, each fitted on from the one before."""
    found: list[Plume] = []
    for firmness in plan.firmness:
        plume = Plume()
        if found:
            plume.load_state_dict(found[-1].state_dict())
        found.append(fit(lesson, plume, firmness, plan.iterations // 2 if found else plan.iterations))
    return found


def fit(lesson: Lesson, plume: Plume, firmness: float, iterations: int) -> Plume:
    """Fit `plume` in place: least squares relative to the footprints' variance, plus the prior.

    Raises
    ------
    DataError
        When the footprints are all alike, or the loss is no number.
    """
    total = (lesson.y - lesson.y.mean()).square().sum() if len(lesson.y) else torch.zeros(())
    if not bool(total > 0):
        raise DataError("footprints do not vary, so nothing can be learnt", where="footprints")
    optimiser = torch.optim.LBFGS(
        plume.parameters(), max_iter=iterations, history_size=20, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        misfit: Tensor = (plume(lesson.x) - lesson.y).square().sum() / total
        found = misfit + firmness * plume.strangeness()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    if not bool(plume.knobs.isfinite().all()):
        raise DataError("the fit is lost: its parameters are no numbers", where="footprints")
    return plume
