"""Conformance of a surrogate: it answers, and it knows where it may and how far it may be wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from tradewind.surrogates.surrogate import Surrogate
from tradewind.testing.checks import Unchanged, require, require_same, skip


class SurrogateConformance(ABC):
    """Tests of a surrogate; subclass with `surrogate` and `asked`, and better also `outside`."""

    @abstractmethod
    def surrogate(self) -> Surrogate[Any]:
        """Return the surrogate, ready to answer."""

    @abstractmethod
    def asked(self) -> Any:
        """Return inputs of two members or more, all inside the domain."""

    def outside(self) -> Any:
        """Return inputs that are all outside the domain; None when there are none to try."""
        return None

    def spoilt(self) -> Any:
        """Return inputs that all hold a NaN; by default made of `asked` where that is a tensor."""
        asked = self.asked()
        return torch.full_like(asked, torch.nan) if isinstance(asked, Tensor) else None

    def test_names_what_it_takes_and_gives(self) -> None:
        """The spec has exports, and units everywhere."""
        spec = self.surrogate().spec
        require(spec.exports, "the spec has no exports")
        for variable in (*spec.imports, *spec.exports):
            require(variable.units.strip(), f"{variable.name} has no units; 1 stands for none")

    def test_answers_every_member_with_numbers(self) -> None:
        """One finite answer for every member asked, members first."""
        surrogate, asked = self.surrogate(), self.asked()
        answer = surrogate(asked)
        require(len(answer) == len(surrogate.valid(asked)), "as many answers as members were asked")
        require(torch.isfinite(answer).all(), "an answer inside the domain is not finite")

    def test_answers_the_same_twice(self) -> None:
        """No dropout, no running statistics: the same bits again, and the input untouched."""
        surrogate, asked = self.surrogate(), self.asked()
        with Unchanged("surrogate", asked):
            first = surrogate(asked)
            surrogate(asked)
        require_same(surrogate(asked), first, "asked again")

    def test_knows_that_it_is_inside(self) -> None:
        """`valid` is one bool for each member, True for those asked here."""
        valid = self.surrogate().valid(self.asked())
        require(valid.dtype == torch.bool and valid.ndim == 1, f"valid is {valid.dtype} {tuple(valid.shape)}")
        require(valid.all(), "inputs inside the domain are called invalid")

    def test_knows_that_it_is_outside(self) -> None:
        """`valid` is False for every member outside."""
        outside = self.outside()
        if outside is None:
            skip("no inputs outside are given")
        require(not self.surrogate().valid(outside).any(), "inputs outside the domain are called valid")

    def test_a_nan_is_outside(self) -> None:
        """An input that holds NaN is never valid."""
        spoilt = self.spoilt()
        if spoilt is None:
            skip("no spoilt inputs are given")
        require(not self.surrogate().valid(spoilt).any(), "inputs with NaN are called valid")

    def test_says_how_far_it_may_be_wrong(self) -> None:
        """`error` is a variance of the answer's shape: finite, not negative, not zero everywhere."""
        surrogate, asked = self.surrogate(), self.asked()
        error, answer = surrogate.error(asked), surrogate(asked)
        require(error.shape == answer.shape, f"error {tuple(error.shape)}, answer {tuple(answer.shape)}")
        require(torch.isfinite(error).all() and (error >= 0).all(), "an error is negative or not finite")
        require(error.any(), "it claims to be perfect")
