"""Waves: members that are stepped together, and moments of some of the members of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tradewind.coupled.tape import Moment
from tradewind.couplers.coupling.fields import PerMember, State


@dataclass
class Wave:
    """Members that are stepped together.

    Attributes
    ----------
    ids
        Their numbers, from 0.
    moment
        Where their run stands; None where every window begins anew.
    x
        Their elements of the control, shape ``(len(ids), n)``.
    """

    ids: tuple[int, ...]
    moment: Moment | None
    x: Tensor

    def select(self, positions: Sequence[int]) -> Wave:
        """Return some of the members, by their positions in the wave."""
        index = torch.tensor(list(positions), dtype=torch.int64)
        moment = None if self.moment is None else select_members(self.moment, index, len(self.ids))
        return Wave(tuple(self.ids[p] for p in positions), moment, self.x[index])


def together(waves: Sequence[Wave]) -> Wave:
    """Return one wave of the members of several, in the order of their numbers.

    Their runs stand at the same time. Without any, there is no wave.
    """
    moments = [wave.moment for wave in waves if wave.moment is not None]
    moment = joined(moments) if moments else None
    whole = Wave(tuple(i for w in waves for i in w.ids), moment, torch.cat([w.x for w in waves]))
    order = sorted(range(len(whole.ids)), key=whole.ids.__getitem__)
    return whole if order == list(range(len(order))) else whole.select(order)


def states_of(moment: Moment) -> Iterator[tuple[str, Tensor]]:
    """Yield all state variables, by port."""
    for component, state in moment.states.items():
        for name, value in state.fields.items():
            yield f"{component}.{name}", value


def state_at(moment: Moment, port: str) -> Tensor | None:
    """Return a state variable; None where there is none of that name."""
    component, _, variable = port.partition(".")
    return moment.states[component].fields.get(variable) if component in moment.states else None


def with_state(moment: Moment, port: str, value: Tensor) -> Moment:
    """Return a moment with another value of a state variable."""
    component, _, variable = port.partition(".")
    state = moment.states[component]
    changed = State({**state.fields, variable: value}, state.extras)
    return moment._replace(states={**moment.states, component: changed})


def select_members(moment: Moment, index: Tensor, members: int) -> Moment:
    """Return the moment of some of its members, by position; what serves all of them is left as it is."""

    def own(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {port: v if len(v) != members else v[index] for port, v in values.items()}

    states = {name: state.select(index) for name, state in moment.states.items()}
    buffers = tuple(b._replace(windows={k: v[index] for k, v in b.windows.items()}) for b in moment.buffers)
    return moment._replace(states=states, held=own(moment.held), exports=own(moment.exports), buffers=buffers)


def joined(moments: Sequence[Moment]) -> Moment:
    """Return one moment of the members of several, which stand at the same time."""
    first = moments[0]

    def both(pick: Callable[[Moment], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        return {port: torch.cat([pick(m)[port] for m in moments]) for port in pick(first)}

    states = {name: _joined_states([m.states[name] for m in moments]) for name in first.states}
    buffers = tuple(
        b._replace(windows={k: torch.cat([m.buffers[i].windows[k] for m in moments]) for k in b.windows})
        for i, b in enumerate(first.buffers)
    )
    held, exports = both(lambda m: m.held), both(lambda m: m.exports)
    return first._replace(states=states, held=held, exports=exports, buffers=buffers)


def _joined_states(states: Sequence[State]) -> State:
    fields = {name: torch.cat([s.fields[name] for s in states]) for name in states[0].fields}
    extras = {
        name: PerMember(e for s in states for e in s.extras[name]) if isinstance(value, PerMember) else value
        for name, value in states[0].extras.items()
    }
    return replace(states[0], fields=fields, extras=extras)
