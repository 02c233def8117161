"""A network's file, opened by a host without a run config: fields in, fields out, and nothing in between.

``init("net.safetensors")`` opens a session with one component, ``network``, that takes as many columns as it
is given. Fields that are bound are computed on where they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tradewind.hosting.failing import CallError, Code
from tradewind.hosting.slots import KINDS, PLAIN, ROLES, Manner, Slot
from tradewind.hosting.threads import ranks_sharing, threads
from tradewind.plugins.network.columns import variable_of
from tradewind.surrogates.columns.domain import refuse_outside
from tradewind.surrogates.columns.evaluation import ColumnEvaluator, Counts
from tradewind.surrogates.columns.files import load_columns
from tradewind.surrogates.columns.header import ColumnHeader
from tradewind.surrogates.columns.network import ColumnNetwork
from tradewind.surrogates.domain import Domain

if TYPE_CHECKING:
    from tradewind.couplers.ranks.parallel import Communicator

NAME = "network"
VALUE, TANGENT, ADJOINT = 0, 1, 2
FIRST = {VALUE: "import", TANGENT: "import", ADJOINT: "export"}
"""What is put, by what it is; the other role is got."""


def open_network(path: str, comm: Communicator) -> NetworkSession:
    """Open a network.

    Raises
    ------
    CallError
        When it is a package for the frozen engine.
    CheckpointError
        When the file cannot be used.
    """
    if Path(path).suffix == ".pt2":
        what, hint = "a package runs without Python", "leave `engine` out, or give the .safetensors file"
        raise CallError(Code.UNSUPPORTED, f"{path}: {what}", hint=hint)
    network, header = load_columns(path)
    return NetworkSession(network, header, comm)


class NetworkSession:
    """A session that holds one network.

    Parameters
    ----------
    network
        In evaluation mode.
    header
        What its file says.
    comm
        The ranks that call together; each on columns of its own.
    """

    abort_on_error = True
    recording_folder: Path | None = None

    def __init__(self, network: ColumnNetwork, header: ColumnHeader, comm: Communicator) -> None:
        self.network, self.header, self.comm = network, header, comm
        self._part: NetworkPart | None = None
        torch.set_num_threads(threads(None, sharing=ranks_sharing(comm)))

    def component(self, name: str) -> NetworkPart:
        """Return the network.

        Raises
        ------
        CallError
            When it is asked for by another name.
        """
        if name != NAME:
            raise CallError(Code.FIELD, "there is no such component", component=name, hint=f"it is {NAME!r}")
        if self._part is None:
            self._part = NetworkPart(self)
        return self._part

    def close(self) -> None:
        """Forget what was put."""
        self._part = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in NEEDS_CONFIG:
            raise AttributeError(name)
        return _refusing(name)


NEEDS_CONFIG = frozenset(
    {
        "advance", "times", "seconds", "record", "advance_tangent", "advance_adjoint", "analyse", "solve",
        "checkpoint", "restore", "report",
    }
)  # fmt: skip
"""What only sessions of run configs can do."""


def _refusing(name: str) -> Callable[..., None]:
    def refuse(*given: object) -> None:
        raise CallError(Code.UNSUPPORTED, f"a network alone does not {name}", hint="open a run config")

    return refuse


class NetworkPart:
    """The network as a component of its session.

    The number of columns is that of ``set_grid``, else that of the first field that is put or bound; a field
    with another number then begins anew.

    Parameters
    ----------
    session
        That it belongs to.
    """

    def __init__(self, session: NetworkSession) -> None:
        self.header, self.network = session.header, session.network
        counts = Counts.ANY if session.comm.size == 1 else Counts.PIECES
        self.evaluator = ColumnEvaluator(session.network, counts)
        self.domain = None if session.header.domain is None else Domain.from_bounds(session.header.domain)
        self.columns: int | None = None
        self.is_placed = False
        self._slots: dict[int, dict[str, Slot]] = {}
        self._answered: dict[int, Mapping[str, Tensor]] = {}
        self._asked: Tensor | None = None
        self._ready: Callable[[], None] | None = None

    # ------------------------------------------------------------------ what it is
    def set_grid(self, index: Any, lon: Any, lat: Any, mask: Any | None = None) -> None:
        """Take the number of this rank's columns; where they lie does not matter to the network."""
        self._begin(len(np.asarray(index)))
        self.is_placed = True

    def describe(self) -> None:
        """Nothing is left to be settled."""

    def fields(self) -> list[tuple[str, str, int, int, tuple[int, ...]]]:
        """Return name, units, role, kind and extents of every field; before any is put, no columns."""
        if self.columns is None:
            self._begin(0)
            self.columns = None
        slots = self._slots[VALUE].values()
        return [(s.name, s.variable.units, ROLES[s.key[0]], KINDS[s.dtype], s.extents) for s in slots]

    def _begin(self, columns: int) -> None:
        self.columns, self._ready, self._asked = columns, None, None
        self._slots = {what: self._places(columns, what) for what in (VALUE, TANGENT, ADJOINT)}
        self._answered = {}

    def _places(self, columns: int, what: int) -> dict[str, Slot]:
        dtype = np.dtype(str(self.header.kind).replace("real", "float"))
        sides = (("import", self.header.inputs), ("export", self.header.outputs))
        return {
            f"{role} {f.name}": Slot(NAME, (role, f.name), variable_of(f, None), dtype, 1, columns, what=what)
            for role, fields in sides
            for f in fields
        }

    def _slot(self, what: int, name: str, roles: Sequence[str]) -> Slot:
        for role in roles:
            if f"{role} {name}" in self._slots[what]:
                return self._slots[what][f"{role} {name}"]
        known = ", ".join(s.name for s in self._slots[what].values() if s.key[0] in roles)
        raise CallError(
            Code.FIELD, "there is no such field", component=NAME, field=name, hint=f"known: {known}"
        )

    # ------------------------------------------------------------------ values
    def put(self, what: int, name: str, view: Any, *how: Any) -> None:
        """Copy a field, or a block of its columns, from the host; see `HostedComponent.put`."""
        array, manner = np.asarray(view), Manner(*how) if how else PLAIN
        self._settle(array, manner)
        slot = self._slot(what, name, [FIRST[what]])
        if slot.bound is not None:
            slot.bound, self._ready = None, None
        slot.put(array, manner)

    def bind(self, name: str, view: Any, *how: Any) -> None:
        """Use the host's memory itself at every run."""
        array, manner = np.asarray(view), Manner(*how) if how else PLAIN
        self._settle(array, manner)
        self._slot(VALUE, name, ["import", "export"]).bind(array, manner)
        self._ready = None

    def get(self, what: int, name: str, view: Any, *how: Any) -> None:
        """Copy a field to the host."""
        if self.columns is None:
            raise CallError(Code.ORDER, "nothing has been run", component=NAME, field=name)
        others = ["export", "import"] if what == VALUE else ["import" if what == ADJOINT else "export"]
        slot = self._slot(what, name, others)
        found = slot.value if slot.key[0] == "import" and what == VALUE else self._found(what, name)
        if found is None:
            raise slot.fault(Code.FIELD, "nothing is there yet", "run first")
        slot.read(np.asarray(view), found, Manner(*how) if how else PLAIN)

    def _found(self, what: int, name: str) -> Tensor | None:
        return self._answered.get(what, {}).get(name)

    def _settle(self, array: Any, manner: Manner) -> None:
        """Take the number of columns from a whole field."""
        whole = not manner.first and array.ndim > 0
        if self.columns is None and not whole:
            hint = "call set_grid before blocks of columns are put"
            raise CallError(Code.ORDER, "the number of columns is not known", component=NAME, hint=hint)
        if self.columns is None or (whole and not self.is_placed and array.shape[-1] != self.columns):
            self._begin(array.shape[-1])

    # ------------------------------------------------------------------ runs
    def run(self, time: float, dt: float) -> None:
        """Ask the network about all columns.

        Raises
        ------
        CallError
            When a field has not been put, or a column lies outside the network's domain.
        """
        if self._ready is None:
            self._ready = self._prepared()
        self._ready()

    def _prepared(self) -> Callable[[], None]:
        """Return what a run does, with everything looked up that can be."""
        if self.columns is None:
            raise CallError(
                Code.ORDER, "nothing has been put", component=NAME, hint="put or bind its imports"
            )
        imports, exports = self._of("import"), self._of("export")
        x, y = _alias(imports), _alias(exports)
        if x is None or y is None or self.domain is not None:
            return lambda: self._run(imports, exports)
        self._asked, self._answered[VALUE] = x, _parts(exports, y)
        into = self.evaluator.into
        if 0 < self.columns <= self.evaluator.counts.value:
            into = self.evaluator.pipe(self.columns)
        return lambda: into(x, y)

    def _of(self, role: str) -> list[Slot]:
        return [slot for slot in self._slots[VALUE].values() if slot.key[0] == role]

    def _run(self, imports: Sequence[Slot], exports: Sequence[Slot]) -> None:
        x = torch.cat([_features(slot.taken()) for slot in imports])
        refuse_outside(self.domain, x, NAME)
        with torch.no_grad():
            y = self.evaluator(x)
        self._asked, self._answered = x, {VALUE: _parts(exports, y)}
        for slot in exports:
            slot.show(self._answered[VALUE][slot.name])

    # ------------------------------------------------------------------ derivatives
    def tangent(self) -> None:
        """Propagate tangents of the imports through the last run; what was not put is zero."""
        x, t = self._asked_last(), self._given(TANGENT)
        found = torch.func.jvp(self._differentiated, (x,), (t,))[1]
        self._answered[TANGENT] = _parts(self._of("export"), found)

    def adjoint(self) -> None:
        """Propagate adjoints of the exports back through the last run; what was not put is zero."""
        x, t = self._asked_last(), self._given(ADJOINT)
        back = torch.func.vjp(self._differentiated, x)[1]
        self._answered[ADJOINT] = _parts(self._of("import"), back(t)[0])

    def dot_test(self) -> float:
        """Return how far tangent and adjoint of the last run are from each other's adjoint."""
        x = self._asked_last()
        generator = torch.Generator().manual_seed(0)
        u = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        forward = torch.func.jvp(self._differentiated, (x,), (u,))[1]
        v = torch.randn(forward.shape, generator=generator, dtype=x.dtype)
        backward = torch.func.vjp(self._differentiated, x)[1](v)[0]
        pairs = ((forward, v), (u, backward), (forward, forward), (v, v))
        one, other, mv, vv = (float((a.double() * b.double()).sum()) for a, b in pairs)
        size = (mv * vv) ** 0.5
        return abs(one - other) / size if size else 0.0

    def enroll(self, *steps: object) -> None:
        """Refuse a step of the host.

        Raises
        ------
        CallError
            Always.
        """
        hint = "open a run config with the plugin `host`"
        raise CallError(Code.UNSUPPORTED, "a network is no step of the host", component=NAME, hint=hint)

    def _differentiated(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            return self.evaluator(x)

    def _asked_last(self) -> Tensor:
        if self._asked is None:
            what, hint = "there is no run to be differentiated", "call run first"
            raise CallError(Code.ORDER, what, component=NAME, hint=hint)
        return self._asked

    def _given(self, what: int) -> Tensor:
        slots = [s for s in self._slots[what].values() if s.key[0] == FIRST[what]]
        given = torch.cat([_features(s.zeros() if s.value is None else s.taken()) for s in slots])
        for slot in slots:
            slot.value, slot.missing = None, None
        return given


def _features(value: Tensor) -> Tensor:
    """Return a field of shape ``(1, *extra, column)`` as ``(feature, column)``."""
    return value.flatten(0, -2)


def _alias(slots: Sequence[Slot]) -> Tensor | None:
    """Return the memory of the host's that a side of the network can use itself; None where there is none."""
    bound = slots[0].bound if len(slots) == 1 else None
    return None if bound is None or bound.alias is None else _features(bound.alias)


def _parts(slots: Sequence[Slot], features: Tensor) -> dict[str, Tensor]:
    """Return features, one field after the other, as fields by name."""
    sizes = [int(np.prod(slot.extra)) for slot in slots]
    parts = torch.split(features, sizes)
    return {slot.name: part.reshape(slot.shape) for slot, part in zip(slots, parts, strict=True)}
