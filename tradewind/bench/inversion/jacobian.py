"""What one Jacobian costs: emulator, reference runs one by one, in batches, and by the adjoint.

All build the same matrix on the same grid, for the same window, in one process on the same threads: from
every cell into which the inventory emits to every observation. Costs that are the same for every column
(or row) are timed on some of them and multiplied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from tradewind.assembly import assemble
from tradewind.bench.checkout import examples
from tradewind.bench.timing import medians
from tradewind.coupled.derivatives.operators import BLOCK

if TYPE_CHECKING:
    from torch import Tensor

    from tradewind.coupled.model import CoupledModel
    from tradewind.couplers.coupling.component import Interval
    from tradewind.couplers.operators import LinearOperator

ROUNDS = 7


def speedups() -> dict[str, Any]:
    """Return seconds of each way for the whole matrix, and their ratios to the emulator's."""
    case = Case()
    seconds = {
        "emulator": case.emulator,
        "one_by_one": case.one_by_one,
        "batched": case.batched,
        "adjoint": case.adjoint,
    }
    taken = medians(seconds, ROUNDS)
    scale = case.scale()
    whole = {name: taken[name] * scale[name] for name in taken}
    figures: dict[str, Any] = {f"jacobian_seconds_{name}": value for name, value in whole.items()}
    ratios = {"": "one_by_one", "_batched": "batched", "_adjoint": "adjoint"}
    figures |= {f"jacobian_speedup{key}": whole[name] / whole["emulator"] for key, name in ratios.items()}
    return figures | {
        "jacobian_columns": case.columns, "jacobian_rows": case.rows,
        "emulator_ms_per_column": 1e3 * whole["emulator"] / case.columns,
        "reference_ms_per_column_batched": 1e3 * whole["batched"] / case.columns,
    }  # fmt: skip


class Case:
    """The first window of the example, seen from the transport's import to its observations."""

    def __init__(self) -> None:
        assembly = assemble(examples() / "permian.yaml", ["components.transport.run_as=surrogate"])
        model = assembly.model()
        self.surrogate = assembly.members["transport"].surrogate
        self.window = assembly.windows[0]
        participant = next(p for p in model.run.participants if p.name == "transport")
        self.asked = model.window_model(participant, self.window)
        self.reference: LinearOperator = self.asked.reference()
        self.observe = observation_operator(model, self.window)
        self.emulated = self.surrogate.tradewind_linearize(self.asked, None, self.window)
        self.emits = self._emitting(model)
        self.columns, self.rows = len(self.emits), self.observe.range.size

    def emulator(self) -> Tensor:
        """Build the whole matrix with the network, its inputs included."""
        self.surrogate.forget()
        return self.observe.forward(self.emulated.forward(self._units(self.columns)))

    def one_by_one(self) -> Tensor:
        """Run the reference for one column."""
        return self.observe.forward(self.reference.forward(self._units(1)))

    def batched(self) -> Tensor:
        """Run the reference for one batch of columns."""
        return self.observe.forward(self.reference.forward(self._units(BLOCK)))

    def adjoint(self) -> Tensor:
        """Run the reference's adjoint for one batch of rows."""
        rows = torch.eye(self.rows, dtype=torch.float64)[:BLOCK]
        return self.reference.adjoint(self.observe.adjoint(rows))

    def scale(self) -> dict[str, float]:
        """Return how much of each piece of work the whole matrix takes."""
        return {
            "emulator": 1.0,
            "one_by_one": float(self.columns),
            "batched": self.columns / BLOCK,
            "adjoint": self.rows / BLOCK,
        }

    def _units(self, count: int) -> Tensor:
        units = torch.zeros(count, self.emulated.domain.size, dtype=torch.float64)
        units[torch.arange(count), self.emits[:count]] = 1.0
        return units

    def _emitting(self, model: CoupledModel) -> Tensor:
        """Return the cells of the transport's grid into which the inventory emits."""
        flux = model.control.to_fields(model.control.prior)[model.control.targets[0]]
        return model.run.exchanges[0].forward(flux).ne(0.0).nonzero().flatten()


def observation_operator(model: CoupledModel, window: Interval) -> LinearOperator:
    """Return H of the one look that the example takes at a window's end."""
    (((port, _), look),) = model.observe.looks(window).items()
    return look.linearize(model.names.space(port).zeros())
