"""A model that is a program of its own: every step runs it in a fresh directory, on files.

Its memory is what it finds in that directory: state variables, which are fields, and restart files, which are
taken as they are. On several ranks the first one runs the model, on whole fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval, Key
from tradewind.couplers.coupling.fields import Fields, Layouts, PerMember, Spec, State
from tradewind.couplers.ranks.parallel import Communicator, Serial, agree
from tradewind.errors import DataError, SpecError
from tradewind.plugins.external.files import Place, read_template
from tradewind.plugins.external.memory import Kept
from tradewind.plugins.external.options import AtStart, ExternalOptions
from tradewind.plugins.external.places import Places
from tradewind.plugins.external.runs import FORWARD, Outcome, Runner, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Wholes: TypeAlias = dict[Key, Array]

MEMORY = "restart"
"""Name of the restart files among the extras of a state."""
COUNT = "members"
"""Name of the number of members among what is saved."""


class External:
    """A model in an executable.

    Parameters
    ----------
    options
        What it is given, how it is started, where its answer is.
    """

    def __init__(self, options: ExternalOptions) -> None:
        self.options, self.runner = options, Runner(options)
        self._layouts: Layouts = {}

    @cached_property
    def places(self) -> Places:
        """Where every variable stands in the model's files."""
        return Places.of(self.options)

    @cached_property
    def _spec(self) -> Spec:
        return self.places.spec(self.options)

    @property
    def comm(self) -> Communicator:
        """The ranks that share the fields."""
        found = (layout.comm for layout in self._layouts.values())
        return max(found, key=lambda comm: comm.size, default=Serial())

    # ------------------------------------------------------------------ what it is
    def describe(self) -> Spec:
        """Return the spec; reads grids, starts nothing."""
        return self._spec

    def verify(self, clock: object) -> None:
        """Refuse settings that no run can be made of.

        Raises
        ------
        TradewindError
            When a program, the template or a file of it is missing, or a placeholder is unknown.
        """
        self.runner.check()
        self._check_restart()
        self._initial()

    def defaults(self, layouts: Layouts) -> Fields:
        """Return the parameters that have a default, the same everywhere, shape ``(1, *extra, cell)``."""
        found = {name: p.default for name, p in self.options.parameters.items() if p.default is not None}
        places = {name: self.places.given["parameter", name] for name in found}
        return {k: self._own(k, np.full((1, *places[k].flat), v), layouts) for k, v in found.items()}

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return the state that the template, or the options, begin with; the same for all members."""
        self._layouts = layouts
        whole, memory = None, None
        with agree(self.comm, "reading the initial state"):
            if self.comm.rank == 0:
                whole, memory = self._initial(), self._begin()
        fields = self.comm.bcast(whole) or {}
        repeated = {key: np.broadcast_to(v, (members, *v.shape)) for key, v in fields.items()}
        return State(self._scattered(repeated, "state"), {MEMORY: PerMember([memory] * members)})

    def _initial(self) -> Wholes:
        return {("state", name): self._first(name) for name in self.options.state}

    def _first(self, name: str) -> Array:
        place, number = self.places.given["state", name], self.options.state[name].initial
        return read_template(self.options.template, place) if number is None else np.full(place.flat, number)

    def _begin(self) -> Kept | None:
        self._check_restart()
        files, scratch = self.options.restart, self.options.scratch
        return Kept.of_template(self.options.template, files, scratch) if files else None

    def _check_restart(self) -> None:
        for f in self.options.restart:
            path = self.options.template / f.file
            if f.at_start is AtStart.TEMPLATE and not path.is_file():
                hint = "put it there, or say `at_start: absent` for a cold start"
                raise DataError("the template lacks this restart file", where=str(path), hint=hint)

    # ------------------------------------------------------------------ stepping
    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Run the model for every member; collective over the ranks that share the fields.

        Raises
        ------
        ModelError
            When the model cannot be started, fails, runs out of time, or leaves no answer.
        DataError
            When a field is missing values, or an answer cannot be used.
        """
        given = self._gathered({"import": imports, "parameter": parameters, "state": state.fields})
        before, found = memory_of(state), list[Outcome]()
        with agree(self.comm, "running the model"):
            if self.comm.rank == 0:
                tasks = [self._task(m, given, kept, interval) for m, kept in enumerate(before)]
                found = self.runner.run_all(tasks)
        wholes = self.comm.bcast({key: _stacked(found, p) for key, p in self.places.found.items() if found})
        after = PerMember(outcome.memory for outcome in found) or before
        return self._scattered(wholes, "export"), State(self._scattered(wholes, "state"), {MEMORY: after})

    def _task(self, member: int, given: Wholes, kept: Kept | None, interval: Interval) -> Task:
        fields = {self.places.given[key]: whole[member] for key, whole in given.items()}
        wanted = tuple(self.places.found.values())
        return Task(FORWARD, member, interval, fields, wanted, kept, self.options.restart)

    def finalize(self) -> None:
        """Nothing is held: restart files go with the states that name them."""

    # ------------------------------------------------------------------ restart files of a coupled run
    def save_state(self, state: State) -> dict[str, bytes]:
        """Return the restart files of all members; see `tradewind.couplers.coupling.component.OwnMemory`."""
        memory = memory_of(state)
        found = {COUNT: str(len(memory)).encode()}
        with agree(self.comm, "saving restart files"):
            for member, kept in enumerate(memory):
                contents = {} if kept is None else kept.contents()
                found |= {f"{member}/{name}": content for name, content in contents.items()}
        return found

    def load_state(self, fields: Fields, saved: Mapping[str, bytes]) -> State:
        """Return a state with restart files that were saved.

        Raises
        ------
        DataError
            When the model carries restart files and none were saved, or the other way round.
        """
        memory: list[Kept | None] = [None] * self._count(saved)
        with agree(self.comm, "restoring restart files"):
            if self.comm.rank == 0 and self.options.restart:
                memory = [self._of_bytes(saved, member) for member in range(len(memory))]
        return State(fields, {MEMORY: PerMember(memory)})

    def _count(self, saved: Mapping[str, bytes]) -> int:
        """Return the number of members whose files were saved."""
        known = {f.file for f in self.options.restart}
        unknown = sorted({name.partition("/")[2] for name in saved if name != COUNT} - known)
        if COUNT not in saved or unknown:
            what = f"files that the model does not carry: {', '.join(unknown)}" if unknown else "nothing"
            raise DataError(f"what was saved of the model holds {what}", hint="save the run again")
        return int(saved[COUNT])

    def _of_bytes(self, saved: Mapping[str, bytes], member: int) -> Kept:
        prefix = f"{member}/"
        own = {name.removeprefix(prefix): c for name, c in saved.items() if name.startswith(prefix)}
        return Kept.of_bytes(own, self.options.scratch)

    # ------------------------------------------------------------------ ranks
    def _gathered(self, roles: Mapping[str, Fields]) -> Wholes:
        """Return whole fields of what a step is given, shape ``(member, *extra, cell)``; collective."""
        return {
            (role, name): self._whole(name, fields[name]) for role, fields in roles.items() for name in fields
        }

    def _whole(self, name: str, value: Tensor) -> Array:
        layout, value = self._layouts.get(name), value.detach().to("cpu", torch.float64)
        whole = value if layout is None or layout.is_serial else layout.gather(value)
        return np.asarray(whole.numpy())

    def _scattered(self, wholes: Mapping[Key, Array], role: str) -> dict[str, Tensor]:
        """Return this rank's cells of the whole fields of a role."""
        return {
            name: self._own(name, whole, self._layouts) for (r, name), whole in wholes.items() if r == role
        }

    @staticmethod
    def _own(name: str, whole: Array, layouts: Layouts) -> Tensor:
        value, layout = torch.from_numpy(np.array(whole)), layouts.get(name)
        return value if layout is None or layout.is_serial else layout.scatter(value).contiguous()


def memory_of(state: State) -> PerMember:
    """Return the restart files of all members; None for those that have none, and on ranks but the first.

    Raises
    ------
    SpecError
        When the state is none of this component's.
    """
    memory = state.extras.get(MEMORY)
    if not isinstance(memory, PerMember):
        hint = "a surrogate must hand on the extras of the state that it is given"
        raise SpecError("the state has lost the model's restart files", where=MEMORY, hint=hint)
    return memory


def _stacked(outcomes: Iterable[Outcome], place: Place) -> Array:
    return np.stack([outcome.fields[place] for outcome in outcomes])
