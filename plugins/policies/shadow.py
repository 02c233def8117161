"""Shadow: the reference model answers, the surrogate runs beside it and is compared."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

from torch import Tensor

from tradewind.couplers.assimilation.linearization import Count, ShadowedOperator, WindowModel
from tradewind.couplers.coupling.component import Step, StepCall
from tradewind.couplers.coupling.fields import Fields
from tradewind.couplers.operators import LinearOperator
from tradewind.errors import DomainError
from tradewind.markers import hookimpl
from tradewind.plugins.options import Options


class Answerer(Protocol):
    """A surrogate: answers steps, linearizations or both."""

    def tradewind_step(self, call: StepCall) -> Step | None:
        """Answer a step."""

    def tradewind_linearize(self, model: WindowModel, x: Any, window: Any) -> LinearOperator | None:
        """Answer a linearization."""


class Shadow:
    """Compares a surrogate with the reference model without using its answers.

    Parameters
    ----------
    surrogate
        Runs beside the model; it is no answerer of the component.

    Attributes
    ----------
    count
        Sums of squares of the reference's answers and of the differences, in its notes.
    """

    def __init__(self, options: Options, surrogate: Answerer) -> None:
        self.options, self.surrogate, self.count = options, surrogate, Count()

    @property
    def relative_difference(self) -> float:
        """Root-mean-square difference over root-mean-square answer, over everything compared so far."""
        notes = self.count.notes
        return float((notes.get("difference", 0.0) / (notes.get("reference", 0.0) or 1.0)) ** 0.5)

    @hookimpl(wrapper=True)
    def tradewind_step(self, call: StepCall) -> Generator[None, Step, Step]:
        """Return the reference's step, compared with the surrogate's where it has one."""
        step = yield
        answer = getattr(self.surrogate, "tradewind_step", None)
        shadow = None if answer is None else answer(call)
        if shadow is not None:
            self._compare(step.exports, shadow.exports)
        return step

    @hookimpl(wrapper=True)
    def tradewind_linearize(
        self, model: WindowModel, x: Any, window: Any
    ) -> Generator[None, Any, LinearOperator | None]:
        """Return the reference's operator, with the surrogate's beside it."""
        own: LinearOperator | None = yield
        answer = getattr(self.surrogate, "tradewind_linearize", None)
        try:
            shadow = None if answer is None else answer(model, x, window)
        except DomainError:
            shadow = None  # it knows nothing of what is asked
        if shadow is None:
            return own
        return ShadowedOperator(own or model.reference(), shadow, self.count)

    def _compare(self, exports: Fields, shadows: Fields) -> None:
        for name, value in exports.items():
            self._note("reference", value)
            self._note("difference", shadows[name] - value)

    def _note(self, name: str, value: Tensor) -> None:
        self.count.notes[name] = self.count.notes.get(name, 0.0) + float((value.detach() ** 2).sum())
