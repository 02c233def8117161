"""A coupled run as one differentiable torch function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tradewind.coupled.derivatives.checkpoints import Tape, sparing
from tradewind.coupled.derivatives.replay import gradients
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Event, Moment, Port
from tradewind.couplers.coupling.time.calendars import Time
from tradewind.errors import SpecError


def gradient_function(
    run: CoupledRun, inputs: Sequence[Port], outputs: Sequence[Event], until: Time
) -> Callable[..., tuple[Tensor, ...]]:
    """Return the run, from where it stands to `until`, as one differentiable torch function.

    Parameters
    ----------
    inputs
        Where the function's arguments are put before the first step.
    outputs
        What it returns: exports, imports or states, and the end of the step after which they are read.

    Returns
    -------
    Callable
        Takes one tensor for each of `inputs`, returns a tuple with one for each of `outputs`, and leaves
        the run at `until`. Its backward replays the tape on the thread that calls ``backward()`` on the
        CPU; every rank must call it. It can be differentiated once. A long run is recorded by checkpoints:
        see `tradewind.coupled.derivatives.checkpoints.sparing`.
    """
    job = _Job(run, run.moment, tuple(inputs), tuple(outputs), until)

    def function(*values: Tensor) -> tuple[Tensor, ...]:
        answer: tuple[Tensor, ...] = _Function.apply(job, *values)  # type: ignore[no-untyped-call]
        return answer

    return function


@dataclass(frozen=True)
class _Job:
    """What is run, from when, and between which names."""

    run: CoupledRun
    start: Moment
    inputs: tuple[Port, ...]
    outputs: tuple[Event, ...]
    until: Time

    def forward(self, values: Sequence[Tensor]) -> tuple[Tape, tuple[Tensor, ...]]:
        """Run from the start with `values` put; return the tape and the outputs."""
        self.run.rewind(self.start)
        with self.run.recording(sparing(self.run, self.until)) as tape:
            for port, time in self.outputs:
                tape.watch(self.run.ports.output(port).component, (port, time))
            for port, value in zip(self.inputs, values, strict=True):
                self.run.put(port, value)
            self.run.advance(self.until)
        for port, time in self.outputs:
            if (port, time) not in tape.seen:
                raise SpecError(f"no step ends at {time}, up to {self.until}", where=port)
        return tape, tuple(tape.seen[event] for event in self.outputs)

    def backward(self, tape: Tape, cotangents: Sequence[Tensor]) -> list[Tensor | None]:
        """Return the cotangents of the inputs; None where nothing depends on one."""
        asked: dict[Event, Tensor] = {}
        for event, cotangent in zip(self.outputs, cotangents, strict=True):
            asked[event] = asked[event] + cotangent[None] if event in asked else cotangent[None]
        found = gradients(self.run, tape, asked)
        events = [(port, self.start.time) for port in self.inputs]
        return [found[event][0] if event in found else None for event in events]


class _Function(torch.autograd.Function):
    """The bridge into torch: forward records, backward replays."""

    @staticmethod
    def forward(ctx: Any, job: _Job, *values: Tensor) -> tuple[Tensor, ...]:
        ctx.job = job
        ctx.tape, answers = job.forward(values)
        # an export may be the very tensor that was put
        return tuple(answer.clone() for answer in answers)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        return None, *ctx.job.backward(ctx.tape, cotangents)
