"""A coupled run kept in a file: tensors in safetensors, the rest as JSON in its header.

Fields are written whole, by global cell, so a run may go on with another number of ranks. Half-full
accumulations, values that wait for their lag to pass, and the ledger's figures of periods that have not ended
are carried; the tape and the ledger of periods that have ended are not: derivatives reach back to the
restart, and no further.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from torch import Tensor

from tradewind.coupled.memory import memory_of, plain_extras, with_memory
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.stepping.buffers import Buffer, Tally
from tradewind.coupled.stepping.plan import Channel
from tradewind.coupled.tape import Moment
from tradewind.couplers.coupling.fields import State, Variable
from tradewind.couplers.coupling.time.calendars import format_time, parse_time
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import agree
from tradewind.errors import DataError, SpecError
from tradewind.output.files import replacing

FORMAT = 2
ENTRY = "tradewind-run"
STATE, HELD, EXPORT, BUFFER = "state", "held", "export", "buffer"
Name: TypeAlias = tuple[str, str]
"""Kind of a tensor (state, held, export or buffer) and its ``component.variable``, or channel and period."""


def save(run: CoupledRun, path: Path) -> None:
    """Write what `run` remembers; collective, rank 0 writes.

    Raises
    ------
    SpecError
        When a state holds extras that are no plain values, or that differ between ranks.
    DataError
        When the file cannot be written; no half-written file is left.
    """
    own = signature(run)
    tensors = {":".join(name): _whole(run, name, value) for name, value in _tensors(run.moment)}
    tensors |= memory_of(run)
    with agree(run.comm, "saving the run"):
        extras = {name: _plain(name, extras) for name, extras in plain_extras(run).items()}
    _refuse_different(run, extras)
    header = {
        "format": FORMAT,
        "time": format_time(run.time),
        "origin": format_time(run.moment.origin),
        "number": run.moment.number,
        "ledger": [_figures(buffer) for buffer in run.moment.buffers],
        "extras": extras,
        "signature": own,
        "carries": "states, held values, exports and buffers; not the tape, not the ledger of the past",
    }
    header["digest"] = _digest(header, tensors)
    with agree(run.comm, "saving the run"):
        if run.comm.rank == 0:
            with replacing(path) as part:
                part.write_bytes(as_bytes(tensors, metadata={ENTRY: json.dumps(header, allow_nan=False)}))


def restore(run: CoupledRun, path: Path) -> Moment:
    """Return the moment that `path` keeps, each rank its own cells.

    Raises
    ------
    DataError
        When the file is missing, damaged, or that of a run with other components, grids or members.
    """
    own = signature(run)
    with agree(run.comm, "restoring a run"):
        header, tensors = _read(path)
        _refuse_other_run(header, own, path)
        _refuse_other_time(header, run, path)
        moment = _Restored(run, header, tensors).moment()
    return with_memory(run, moment, tensors)


def signature(run: CoupledRun) -> dict[str, str]:
    """Return what a run and its file must have in common, in words; collective."""
    found = {
        "members": str(run.members),
        "calendar": str(run.clock.calendar),
        "start": format_time(run.clock.start),
        "step": str(run.clock.step),
    }
    for p in run.participants:
        found[f"step of {p.name}"] = str(p.step or run.clock.step)
        declared = {"import": p.spec.imports, "parameter": p.spec.parameters}
        declared |= {"state": p.spec.state, "export": p.spec.exports}
        for role, variables in declared.items():
            found |= {f"{role} {p.port(v.name)}": _in_words(v) for v in variables}
    exchanges = {f"exchange {c.number + 1}": _exchange_in_words(c) for c in run.plan.channels}
    order = ", ".join(planned.call.component for planned in run.plan.steps)
    return found | exchanges | {"order": order}


def _exchange_in_words(channel: Channel) -> str:
    exchange, timing = channel.exchange, channel.timing
    source, target = exchange.source.layout, exchange.target.layout
    said = {
        "every": timing.every, "time": timing.reduction, "lag": timing.lag,
        "interpolate": timing.interpolation, "initial": _value_in_words(timing.initial, source),
        "factor": _value_in_words(exchange.factor, source),
        "offset": _value_in_words(exchange.offset, source),
        "levels": _hashed(repr(exchange.levels).encode()) if exchange.levels is not None else None,
        "by": exchange.operator.name, "fraction": _value_in_words(exchange.fraction, target),
        "moving": None if exchange.moving is None else exchange.moving.name, "merge": exchange.merge,
    }  # fmt: skip
    return f"{exchange.name}: " + ", ".join(f"{k} {v}" for k, v in said.items() if v is not None)


def _value_in_words(value: float | Tensor | None, layout: Layout) -> str | None:
    """Return a number, or a fingerprint of a field on all cells; collective."""
    if not isinstance(value, Tensor) or not value.ndim:
        return None if value is None else repr(float(value))
    whole = value if layout.is_serial else layout.gather(value)
    return f"a field {_hashed(whole.contiguous().numpy().tobytes())}"


def _hashed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _in_words(variable: Variable) -> str:
    place = "no grid" if variable.grid is None else f"{variable.grid!r} {variable.grid.fingerprint[:16]}"
    return f"{variable.units}, {dict(variable.extra)}, {place}"


# ---------------------------------------------------------------------- writing
def _tensors(moment: Moment) -> Iterator[tuple[Name, Tensor]]:
    for component, state in moment.states.items():
        yield from (((STATE, f"{component}.{name}"), value) for name, value in state.fields.items())
    yield from (((HELD, port), value) for port, value in moment.held.items())
    yield from (((EXPORT, port), value) for port, value in moment.exports.items())
    for channel, buffer in enumerate(moment.buffers):
        yield from (((BUFFER, f"{channel} {k}"), value) for k, value in buffer.windows.items())


def _figures(buffer: Buffer) -> dict[str, Any]:
    """Return what the ledger has counted in a buffer: to the bit, and what is not a number too."""
    left = {str(k): float(v).hex() for k, v in buffer.left.items()}
    return {"left": left, "tally": [float(v).hex() for v in buffer.tally]}


def _layout(run: CoupledRun, name: Name) -> Layout | None:
    kind, port = name
    if kind == BUFFER:
        return run.plan.channels[int(port.partition(" ")[0])].exchange.source.layout
    if kind == STATE:
        component, _, variable = port.partition(".")
        return next(p for p in run.participants if p.name == component).layouts.get(variable)
    return (run.ports.input(port) if kind == HELD else run.ports.output(port)).layout


def _whole(run: CoupledRun, name: Name, value: Tensor) -> Tensor:
    """Return a tensor of all cells; a copy, because a file holds no two names for the same memory."""
    layout = _layout(run, name)
    whole = value if layout is None or layout.is_serial else layout.gather(value).to(value.dtype)
    return whole.detach().contiguous().clone()


def _plain(component: str, extras: Mapping[str, Any]) -> dict[str, Any]:
    try:
        back: dict[str, Any] = json.loads(json.dumps(dict(extras), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise _not_plain(component) from error
    if back != dict(extras):
        raise _not_plain(component)
    return back


def _not_plain(component: str) -> SpecError:
    return SpecError(
        "its state's extras are no plain values", where=f"component {component!r}",
        hint="keep numbers, texts, lists and mappings there, tensors in the state's fields",
    )  # fmt: skip


def _refuse_different(run: CoupledRun, extras: Mapping[str, Any]) -> None:
    every = run.comm.allgather(json.dumps(extras, sort_keys=True))
    if len(set(every)) > 1:
        raise SpecError(
            "extras differ between ranks", where="saving the run", hint="keep the same on all ranks"
        )


def _digest(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    own = {name: value for name, value in header.items() if name != "digest"}
    digest = hashlib.sha256(json.dumps(own, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)} ".encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


# ---------------------------------------------------------------------- reading
def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(ENTRY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError as error:
        raise DataError("no such file", where=str(path)) from error
    except (OSError, SafetensorError) as error:
        raise DataError(f"is damaged: {error}", where=str(path), hint="save the run again") from error
    if text is None:
        raise DataError("is no saved run", where=str(path))
    header = _parsed(text, path)
    if header.get("digest") != _digest(header, tensors):
        raise DataError("is damaged: its numbers are not those that were saved", where=str(path))
    return header, tensors


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        header: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"is damaged: {error}", where=str(path), hint="save the run again") from error
    if not isinstance(header, dict):
        raise DataError("is damaged: its header is no mapping", where=str(path), hint="save the run again")
    if header.get("format") != FORMAT:
        hint = "it was written by another version: go on with that one, or begin anew"
        raise DataError(f"has format {header.get('format')}, expected {FORMAT}", where=str(path), hint=hint)
    return header


def _refuse_other_run(header: Mapping[str, Any], own: Mapping[str, str], path: Path) -> None:
    saved = header["signature"]
    for name in [*own, *(name for name in saved if name not in own)]:
        if saved.get(name) != own.get(name):
            here, there = own.get(name, "absent"), saved.get(name, "absent")
            what = f"{name} is {here!r} in this run, {there!r} in the file"
            raise DataError(f"holds another run: {what}", where=str(path))


def _refuse_other_time(header: Mapping[str, Any], run: CoupledRun, path: Path) -> None:
    time = parse_time(header["time"], run.clock.calendar)
    if time > run.clock.stop:
        raise DataError(f"stands at {time}, this run stops at {run.clock.stop}", where=str(path))


@dataclass(frozen=True)
class _Restored:
    """A file's content on its way back into the run."""

    run: CoupledRun
    header: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    def moment(self) -> Moment:
        """Return the moment with this rank's cells."""
        states = {p.name: self._state(p.name) for p in self.run.participants}
        calendar = self.run.clock.calendar
        time, origin = (parse_time(self.header[key], calendar) for key in ("time", "origin"))
        held, exports = self._of_kind(HELD), self._of_kind(EXPORT)
        return Moment(time, origin, self.header["number"], states, held, exports, tuple(self._buffers()))

    def _buffers(self) -> Iterator[Buffer]:
        fields = {tuple(map(int, name.split())): v for name, v in self._of_kind(BUFFER).items()}
        for channel, figures in enumerate(self.header["ledger"]):
            windows = {k: value for (number, k), value in fields.items() if number == channel}
            left = {int(k): float.fromhex(v) for k, v in figures["left"].items()}
            yield Buffer(windows, left, Tally(*map(float.fromhex, figures["tally"])))

    def _state(self, component: str) -> State:
        fields = self._of_kind(STATE)
        own = {port.partition(".")[2]: v for port, v in fields.items() if port.partition(".")[0] == component}
        return State(own, self.header["extras"][component])

    def _of_kind(self, kind: str) -> dict[str, Tensor]:
        names = [name for name in self.tensors if name.startswith(f"{kind}:")]
        return {name.partition(":")[2]: self._own_cells((kind, name.partition(":")[2])) for name in names}

    def _own_cells(self, name: Name) -> Tensor:
        layout, whole = _layout(self.run, name), self.tensors[":".join(name)]
        return whole if layout is None or layout.is_serial else layout.scatter(whole).contiguous()
