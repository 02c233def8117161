"""What components bring into a restart file themselves: bytes, kept as tensors of uint8 beside the fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from tradewind.coupled.tape import Moment, Participant
from tradewind.couplers.coupling.component import OwnMemory
from tradewind.couplers.coupling.fields import State

if TYPE_CHECKING:
    from tradewind.coupled.run import CoupledRun

MEMORY = "memory"
"""Kind of a tensor that holds bytes of a component's own."""


def plain_extras(run: CoupledRun) -> dict[str, Mapping[str, Any]]:
    """Return the extras of all states but of those whose component brings them itself."""
    own = {p.name for p, _ in _bringing(run)}
    return {name: {} if name in own else state.extras for name, state in run.moment.states.items()}


def memory_of(run: CoupledRun) -> dict[str, Tensor]:
    """Return what components bring into a restart file, ``memory:component.name``; collective."""
    return {
        f"{MEMORY}:{p.name}.{name}": torch.from_numpy(np.frombuffer(content, dtype=np.uint8).copy())
        for p, component in _bringing(run)
        for name, content in component.save_state(run.moment.states[p.name]).items()
    }


def with_memory(run: CoupledRun, moment: Moment, tensors: Mapping[str, Tensor]) -> Moment:
    """Return `moment` with what components have brought into a restart file; collective.

    Raises
    ------
    DataError
        When a component cannot use what was saved.
    """
    states: dict[str, State] = dict(moment.states)
    for p, component in _bringing(run):
        prefix = f"{MEMORY}:{p.name}."
        saved = {
            name.removeprefix(prefix): value.numpy().tobytes()
            for name, value in tensors.items()
            if name.startswith(prefix)
        }
        states[p.name] = component.load_state(states[p.name].fields, saved)
    return moment._replace(states=states)


def _bringing(run: CoupledRun) -> Iterator[tuple[Participant, OwnMemory]]:
    """Yield components that bring their extras themselves, in the order that is the same on all ranks."""
    for p in run.participants:
        if hasattr(p.component, "save_state"):
            yield p, cast("OwnMemory", p.component)
