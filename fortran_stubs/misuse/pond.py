"""A pond in four cells that can be worked out by hand, and that fails where it is told to.

``amount <- amount + inflow - rate amount²``, ``level = amount²`` of the new amount.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field

from tradewind import Grid, Spec, State, Variable, hookimpl
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields
from tradewind.plugins.options import Options


class PondOptions(Options):
    """Where and how the pond fails."""

    fails: str = Field(default="", description="Phase in which it fails.")
    how: str = Field(default="raise", description="Way in which it fails.")
    rank: int = Field(default=-1, description="Rank that fails; below 0: all.")


def out_of_order() -> None:
    """Raise what no error of tradewind is."""
    raise ZeroDivisionError("the pond is out of order")


def in_a_thread() -> None:
    """Raise where nobody looks."""
    thread = threading.Thread(target=out_of_order)
    thread.start()
    thread.join()


def interrupt() -> None:
    """Do as if a user had."""
    raise KeyboardInterrupt


WAYS: dict[str, Callable[[], object]] = {
    "raise": out_of_order,
    "exit": lambda: sys.exit(3),
    "interrupt": interrupt,
    "thread": in_a_thread,
    "memory": lambda: bytearray(2**62),
}


def rank_here() -> int:
    """Return the rank as launchers tell it."""
    return int(os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK", "0")))


class Pond:
    """The component."""

    def __init__(self, options: PondOptions) -> None:
        self.options = options
        self.grid = Grid.latlon([10.0, 20.0], [0.0, 10.0])
        self._fail("factory")
        if options.fails == "linearize":
            self.jvp = self.vjp = self._derive

    def _fail(self, phase: str) -> None:
        if self.options.fails == phase and self.options.rank in {-1, rank_here()}:
            WAYS[self.options.how]()

    def describe(self) -> Spec:
        """Return what is declared."""
        self._fail("describe")
        return Spec(
            imports=(Variable("inflow", "kg", self.grid),),
            exports=(Variable("level", "kg2", self.grid),),
            state=(Variable("amount", "kg", self.grid),),
            parameters=(Variable("rate", "kg-1"),),
        )

    def initialize(self, spec: Spec, layouts: Any, members: int) -> State:
        """Return a pond with 1 kg in every cell."""
        self._fail("initialize")
        return State({"amount": torch.ones(members, layouts["amount"].n_local, dtype=torch.float64)})

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Let in and let out, whatever the interval is."""
        self._fail("step")
        old = state.fields["amount"]
        amount = old + imports["inflow"] - parameters["rate"][:, None] * old**2
        return {"level": amount**2}, State({"amount": amount})

    def _derive(self, call: object, derivatives: object) -> None:
        self._fail("linearize")

    def finalize(self) -> None:
        """Nothing is held."""
        self._fail("finalize")


@hookimpl
def tradewind_register_component(register: Callable[..., None]) -> None:
    """Register the pond."""
    register("pond", factory=f"{__name__}:Pond", options=f"{__name__}:PondOptions", summary="a pond")
