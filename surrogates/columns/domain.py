"""Where a column network may be used: the features that it was trained on, and a little beyond."""

from __future__ import annotations

from torch import Tensor

from tradewind.errors import DomainError
from tradewind.surrogates.domain import MARGIN, Domain


def fit_columns(x: Tensor, margin: float = MARGIN) -> Domain:
    """Return the domain of training features, shape ``(feature, column)``, in their units.

    Raises
    ------
    DataError
        When there are none.
    """
    return Domain.around(x.T.double(), margin)


def holds(domain: Domain, x: Tensor) -> Tensor:
    """Return which columns of features, shape ``(feature, column)``, lie inside, bool ``(column,)``."""
    return domain.holds(x.detach().T.double())


def refuse_outside(domain: Domain | None, x: Tensor, where: str, hint: str = "") -> None:
    """Refuse features of which a column lies outside.

    Raises
    ------
    DomainError
        Says how many do, and which is the first, counted from 1.
    """
    if domain is None:
        return
    inside = holds(domain, x)
    if not bool(inside.all()):
        outside = (~inside).nonzero().flatten()
        what = f"{len(outside)} of {len(inside)} columns lie outside its domain, the first is"
        raise DomainError(f"{what} {int(outside[0]) + 1}", where=where, hint=hint)
