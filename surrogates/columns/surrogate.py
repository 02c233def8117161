"""A column network as a surrogate: it answers, knows where it may, and how far it may be wrong."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from tradewind.couplers.coupling.fields import Spec, Variable
from tradewind.errors import CheckpointError
from tradewind.surrogates.columns.evaluation import ColumnEvaluator
from tradewind.surrogates.columns.files import load_columns
from tradewind.surrogates.columns.header import ColumnError, ColumnField, ColumnHeader
from tradewind.surrogates.columns.network import ColumnNetwork
from tradewind.surrogates.domain import Domain
from tradewind.surrogates.surrogate import Surrogate


class ColumnSurrogate(Surrogate[Tensor]):
    """A column network with its domain and its error; columns are its members.

    Parameters
    ----------
    network
        In evaluation mode.
    header
        What its file says.
    """

    def __init__(self, network: ColumnNetwork, header: ColumnHeader) -> None:
        super().__init__()
        self.network, self.header = network, header
        self.evaluator = ColumnEvaluator(network)
        self.domain = None if header.domain is None else Domain.from_bounds(header.domain)
        self.spec = Spec(
            imports=tuple(_variable(f) for f in header.inputs),
            exports=tuple(_variable(f) for f in header.outputs),
        )

    @classmethod
    def from_checkpoint(cls, path: Path | str) -> ColumnSurrogate:
        """Load network, domain and error model.

        Raises
        ------
        CheckpointError
            When the file cannot be used.
        """
        return cls(*load_columns(path))

    def forward(self, x: Tensor) -> Tensor:
        """Return the answers, shape ``(column, feature)``, to features of that shape in their units."""
        return self.evaluator(x.T.contiguous()).T

    def valid(self, x: Tensor) -> Tensor:
        """Return which columns lie inside the domain, bool ``(column,)``; one with a NaN does not."""
        return x.isfinite().all(1) if self.domain is None else self.domain.holds(x.detach().double())

    def error(self, x: Tensor) -> Tensor:
        """Return the variance of each answer's error, shape ``(column, feature)``.

        Raises
        ------
        CheckpointError
            When the file holds no error model.
        """
        if self.header.error is None:
            raise CheckpointError("holds no error model", where=self.header.network, hint="fit one")
        return column_variance(self(x), self.header.error)


def column_variance(answers: Tensor, error: ColumnError) -> Tensor:
    """Return ``floor**2 + (relative * answer)**2``, shape ``(column, feature)`` as `answers`."""
    floor, relative = (answers.new_tensor(v) for v in (error.floor, error.relative))
    return floor.square() + (relative * answers).square()


def _variable(field: ColumnField) -> Variable:
    extra = () if field.size is None else ((field.dimension, field.size),)
    return Variable(field.name, field.units, extra=extra)
