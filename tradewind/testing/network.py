"""Conformance of a column network's file: what components, hosts and derivatives rely on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import torch
from torch import Tensor

from tradewind.surrogates.columns.evaluation import ColumnEvaluator
from tradewind.surrogates.columns.files import load_columns
from tradewind.surrogates.columns.surrogate import ColumnSurrogate
from tradewind.surrogates.freezing.checking import samples
from tradewind.testing.checks import require, require_same, skip

CUTS = (1, 37, 300)


class NetworkConformance(ABC):
    """Tests of a column network; subclass with `checkpoint`, the path of its file.

    Attributes
    ----------
    gradient_tolerance
        Of the dot test, in double precision.
    """

    gradient_tolerance = 1e-12

    @abstractmethod
    def checkpoint(self) -> Path:
        """Return the file."""

    def surrogate(self) -> ColumnSurrogate:
        """Return the network, ready to answer."""
        return ColumnSurrogate.from_checkpoint(self.checkpoint())

    def asked(self) -> Tensor:
        """Return features of many columns, by default random ones, shape ``(feature, column)``."""
        network, header = load_columns(self.checkpoint())
        return list(samples(network, header))[-1]

    def test_answers_with_numbers(self) -> None:
        """Answers are finite, one column for each that is asked."""
        x = self.asked()
        y = self.surrogate().evaluator(x)
        require(y.shape[1] == x.shape[1], f"{y.shape[1]} answers to {x.shape[1]} columns")
        require(torch.isfinite(y).all(), "an answer is not finite")

    def test_answers_the_same_beside_other_columns(self) -> None:
        """A column has the same bits wherever it stands, so that ranks do not show."""
        x, ask = self.asked(), ColumnEvaluator(self.surrogate().network)
        whole = ask(x)
        for cut in (c for c in CUTS if c < x.shape[1]):
            apart = [ask(part.contiguous()) for part in (x[:, :cut], x[:, cut:])]
            require_same(torch.cat(apart, dim=1), whole, f"columns cut after {cut}")

    def test_knows_its_domain(self) -> None:
        """NaN and what is far outside the box are outside; the centre is inside."""
        surrogate = self.surrogate()
        x = self.asked().T.contiguous()
        require(not surrogate.valid(torch.full_like(x, torch.nan)).any(), "NaN is called valid")
        domain = surrogate.domain
        if domain is None:
            skip("the file holds no domain")
            return
        require(
            surrogate.valid(domain.centre[None].to(x)).all(), "the centre of the domain is called invalid"
        )
        far = domain.upper + 10 * (domain.upper - domain.lower) + 1
        require(not surrogate.valid(far[None].to(x)).any(), "what lies far outside is called valid")

    def test_gradient_is_the_adjoint_of_the_tangent(self) -> None:
        """<J u, v> = <u, Jᵀ v> for random u and v, in double precision."""
        network, x = self.surrogate().network.double(), self.asked().double()
        generator = torch.Generator().manual_seed(1)
        u = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        forward = torch.func.jvp(network, (x,), (u,))[1]
        v = torch.randn(forward.shape, generator=generator, dtype=x.dtype)
        backward = torch.func.vjp(network, x)[1](v)[0]
        apart = float((forward * v).sum() - (u * backward).sum())
        size = float(forward.norm() * v.norm())
        told = f"tangent and adjoint differ by {apart:.3g} of {size:.3g}"
        require(abs(apart) <= self.gradient_tolerance * size, told)
