"""Linear operators with their exact adjoints, and the spaces that they map between."""

from tradewind.couplers.operators.elementary import DiagonalOperator, IdentityOperator, MatrixOperator
from tradewind.couplers.operators.linear import (
    CPU,
    AdjointOperator,
    ComposedOperator,
    LinearOperator,
    StackOperator,
    SumOperator,
    dot_test,
)
from tradewind.couplers.operators.spaces import BLOCK, Distributed, Joined, Replicated, Space, joined

__all__ = [
    "BLOCK",
    "CPU",
    "AdjointOperator",
    "ComposedOperator",
    "DiagonalOperator",
    "Distributed",
    "IdentityOperator",
    "Joined",
    "LinearOperator",
    "MatrixOperator",
    "Replicated",
    "Space",
    "StackOperator",
    "SumOperator",
    "dot_test",
    "joined",
]
