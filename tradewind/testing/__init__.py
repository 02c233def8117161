"""The conformance kit: subclass one of these with a factory, and pytest runs its tests on your class.

    class TestPersistence(ComponentConformance):
        def component(self):
            return Persistence(grid)

The kit itself needs no test framework: failures are `AssertionError`, what does not apply is
`unittest.SkipTest`, and every framework that finds ``test_*`` methods can run it.
"""

from tradewind.testing.component import ComponentConformance
from tradewind.testing.model import LinearModel, VectorControl
from tradewind.testing.network import NetworkConformance
from tradewind.testing.operator import OperatorConformance
from tradewind.testing.solver import SolverConformance
from tradewind.testing.surrogate import SurrogateConformance

__all__ = [
    "ComponentConformance",
    "LinearModel",
    "NetworkConformance",
    "OperatorConformance",
    "SolverConformance",
    "SurrogateConformance",
    "VectorControl",
]
