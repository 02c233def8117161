"""A pond in four cells that can be worked out by hand, and that fails where it is told to.

``amount <- amount + inflow - rate amount²``, ``level = amount²`` of the new amount.
"""

import ctypes
import os
import sys
import threading

import torch
from pydantic import Field

from tradewind import Grid, Spec, State, Variable, hookimpl
from tradewind.plugins.options import Options


class PondOptions(Options):
    fails: str = Field(default="", description="Phase in which it fails.")
    how: str = Field(default="raise", description="Way in which it fails.")
    rank: int = Field(default=-1, description="Rank that fails; below 0: all.")


def out_of_order():
    raise ZeroDivisionError("the pond is out of order")


def in_a_thread():
    thread = threading.Thread(target=out_of_order)
    thread.start()
    thread.join()


def interrupt():
    raise KeyboardInterrupt


WAYS = {
    "raise": out_of_order,
    "exit": lambda: sys.exit(3),
    "interrupt": interrupt,
    "thread": in_a_thread,
    "memory": lambda: bytearray(2**62),
}


def rank_here():
    return int(os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK", "0")))


class Pond:
    def __init__(self, options):
        self.options = options
        self.grid = Grid.latlon([10.0, 20.0], [0.0, 10.0])
        self._fail("factory")
        if options.fails == "linearize":
            self.jvp = self.vjp = self._derive

    def _fail(self, phase):
        if self.options.fails == phase and self.options.rank in {-1, rank_here()}:
            WAYS[self.options.how]()

    def describe(self):
        self._fail("describe")
        return Spec(
            imports=(Variable("inflow", "kg", self.grid),),
            exports=(Variable("level", "kg2", self.grid),),
            state=(Variable("amount", "kg", self.grid),),
            parameters=(Variable("rate", "kg-1"),),
        )

    def initialize(self, spec, layouts, members):
        self._fail("initialize")
        return State({"amount": torch.ones(members, layouts["amount"].n_local, dtype=torch.float64)})

    def step(self, state, imports, parameters, interval):
        self._fail("step")
        old = state.fields["amount"]
        amount = old + imports["inflow"] - parameters["rate"][:, None] * old**2
        return {"level": amount**2}, State({"amount": amount})

    def _derive(self, call, derivatives):
        self._fail("linearize")

    def finalize(self):
        self._fail("finalize")


@hookimpl
def tradewind_register_component(register):
    register("pond", factory=f"{__name__}:Pond", options=f"{__name__}:PondOptions", summary="a pond")
