"""Everything that a session remembers, in one file, from which another session goes on with the same bits.

It holds the coupled run (see `tradewind.coupled.restart`), of every handle its state, its last answer and
what was put into it, and of an ensemble what its filter remembers. Fields are whole, by global cell: a
session may go on with another number of ranks. What was recorded for derivatives, and what a report shows of
the time before, are not kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from torch import Tensor

from tradewind.coupled import restart
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.coupling.time.calendars import format_time, parse_time
from tradewind.couplers.ranks.parallel import agree
from tradewind.errors import CheckpointError, DataError, SpecError
from tradewind.hosting.bridge import refuse_other_names
from tradewind.hosting.solving import Standing
from tradewind.output.files import replacing

if TYPE_CHECKING:
    from tradewind.couplers.coupling.component import Key
    from tradewind.hosting.analysing import Analyses
    from tradewind.hosting.component import HostedComponent
    from tradewind.hosting.session import Session

FORMAT = 1
ENTRY = "tradewind-session"
RUN, X = "run", "posterior"
STATE, EXPORT, PUT = "state", "export", "put"
Tensors = dict[str, Tensor]


def checkpoint(session: Session, path: str) -> None:
    """Write what a session remembers; collective, rank 0 writes.

    Raises
    ------
    SpecError
        When a state holds what is no plain value.
    DataError
        When the file cannot be written; an older one is as it was.
    """
    file = Path(path)
    tensors: Tensors = {}
    header: dict[str, Any] = {"format": FORMAT, "parts": {}}
    for part in _described(session):
        header["parts"][part.name] = _part_header(part)
        tensors |= dict(_of_part(part))
    # members are drawn as their run begins
    if session.started or session.analyses is not None:
        tensors[RUN] = _run_bytes(session)
        if session.solved_at is not None:
            tensors[X] = session.solved_at
        if session.analyses is not None:
            header["ensemble"], of_ensemble = _of_ensemble(session.analyses)
            tensors |= of_ensemble
    tensors = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
    header["digest"] = _digest(header, tensors)
    with agree(session.comm, "writing the checkpoint"):
        if session.comm.rank == 0:
            content = as_bytes(tensors, metadata={ENTRY: json.dumps(header, allow_nan=False)})
            with replacing(file) as part_file:
                part_file.write_bytes(content)


def restore(session: Session, path: str) -> None:
    """Let a session go on from a file; collective. When it cannot be used, the session is as it was.

    Raises
    ------
    CheckpointError
        When it is missing, damaged, or that of a session with other components, grids or members.
    """
    file = Path(path)
    with agree(session.comm, "reading the checkpoint"):
        header, tensors = _read(file)
        _refuse_other(session, header, file)
    parts = {name: session.component(name) for name in header["parts"]}
    for part in parts.values():
        part.describe()
    with agree(session.comm, "reading the checkpoint"):
        for part in parts.values():
            _refuse_other_fields(part, header["parts"][part.name], file)
    if RUN in tensors:
        _restore_run(session, header, tensors)
    elif session.started:
        session.begin_anew()
    for part in parts.values():
        _restore_part(part, header["parts"][part.name], tensors)


# ---------------------------------------------------------------------- handles
def _described(session: Session) -> list[HostedComponent]:
    return [part for _, part in sorted(session.parts.items()) if part.described]


def _part_header(part: HostedComponent) -> dict[str, Any]:
    state = part.state or State()
    fresh = [list(key) for key, slot in part.places.values.items() if slot.fresh and slot.bound is None]
    return {"fields": _words(part), "extras": _plain(part, state.extras), "fresh": fresh}


def _words(part: HostedComponent) -> dict[str, str]:
    """Return what a handle and its file must have in common, in words."""
    layouts, found = part.participant.layouts, {"members": str(part.members)}
    for (role, name), slot in part.places.values.items():
        grid = layouts[name].grid.fingerprint[:16] if name in layouts else "no grid"
        found[f"{role} {name}"] = f"{slot.variable.units}, {list(slot.extra)}, {slot.dtype}, {grid}"
    return found


def _plain(part: HostedComponent, extras: Mapping[str, Any]) -> dict[str, Any]:
    try:
        back: dict[str, Any] = json.loads(json.dumps(dict(extras), allow_nan=False))
    except (TypeError, ValueError) as error:
        what, hint = (
            "its state's extras are no plain values",
            "advance it in the coupled run, which can keep them",
        )
        raise SpecError(what, where=f"component {part.name!r}", hint=hint) from error
    return back


def _of_part(part: HostedComponent) -> Iterator[tuple[str, Tensor]]:
    """Yield state, last answer and what was put, of all cells; collective."""
    state = part.state or State()
    for name, value in state.fields.items():
        yield _name(part, STATE, STATE, name), _whole(part, name, value)
    for name, value in part.exports.items():
        yield _name(part, EXPORT, EXPORT, name), _whole(part, name, value)
    slots = part.places.values.items()
    given = {key: slot.taken() for key, slot in slots if slot.value is not None and slot.bound is None}
    refuse_other_names(given, part.comm)
    for key, value in part.bridge.gathered(given, part.comm).items():
        yield _name(part, PUT, *key), _whole(part, key[1], value)


def _name(part: HostedComponent, kind: str, role: str, name: str) -> str:
    return f"{kind}:{part.name}:{role}:{name}"


def _whole(part: HostedComponent, name: str, value: Tensor) -> Tensor:
    layout = part.participant.layouts.get(name)
    return value if layout is None or layout.is_serial else layout.gather(value).to(value.dtype)


def _own(part: HostedComponent, name: str, whole: Tensor) -> Tensor:
    layout = part.participant.layouts.get(name)
    return whole if layout is None or layout.is_serial else layout.scatter(whole).contiguous()


def _restore_part(part: HostedComponent, said: Mapping[str, Any], tensors: Tensors) -> None:
    found: dict[str, dict[Key, Tensor]] = {STATE: {}, EXPORT: {}, PUT: {}}
    for name, value in tensors.items():
        kind, _, rest = name.partition(":")
        component, _, place = rest.partition(":")
        if component == part.name and kind in found:
            role, _, field = place.partition(":")
            found[kind][role, field] = _own(part, field, value)
    part.state = State({name: value for (_, name), value in found[STATE].items()}, said["extras"])
    part.exports = {name: value for (_, name), value in found[EXPORT].items()}
    part.kept.clear()
    part.put_since.clear()
    fresh = {(str(role), str(name)) for role, name in said["fresh"]}
    for key, slot in part.places.values.items():
        if slot.bound is None:
            there = found[PUT].get(key)
            slot.value = None if there is None else part.bridge.pick(key, there).contiguous()
            slot.lent, slot.missing, slot.fresh = True, None, key in fresh


# ---------------------------------------------------------------------- the coupled run
def _run_bytes(session: Session) -> Tensor:
    """Return the restart file of the coupled run; collective."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "run"
        session.coupled.save(file)
        content = file.read_bytes() if session.coupled.comm.rank == 0 else b"-"
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8).copy())


def _restore_run(session: Session, header: Mapping[str, Any], tensors: Tensors) -> None:
    run = session.coupled
    with TemporaryDirectory() as folder:
        file = Path(folder) / "run"
        file.write_bytes(tensors[RUN].numpy().tobytes())
        try:
            moment = restart.restore(run, file)
        except DataError as error:
            raise CheckpointError(error.what, where="the coupled run", hint=error.hint) from error
    run.rewind(moment)
    session.advances.restarted()
    if X in tensors:
        session.stand_at(Standing(session.assembly.control, tensors[X]))
    if session.analyses is not None and "ensemble" in header:
        _restore_ensemble(session.analyses, header["ensemble"], tensors)
    session.resume()


# ---------------------------------------------------------------------- an ensemble
def _of_ensemble(analyses: Analyses) -> tuple[dict[str, Any], Tensors]:
    """Return what a filter's loop remembers beside its members."""
    memory = dict(analyses.loop.analyst.memory)
    tensors = {f"memory:{name}": value for name, value in memory.items() if isinstance(value, Tensor)}
    plain = {name: value for name, value in memory.items() if not isinstance(value, Tensor)}
    seen = [(port, format_time(time)) for port, time in analyses.seen]
    tensors |= {f"seen:{k}": value for k, value in enumerate(analyses.seen.values())}
    tensors["x"] = analyses.wave.x
    done = [analyses.windows.index(window) for window in analyses.done]
    said = {
        "number": analyses.loop.number,
        "done": done,
        "seen": seen,
        "memory": json.loads(json.dumps(plain)),
    }
    return said, tensors


def _restore_ensemble(analyses: Analyses, said: Mapping[str, Any], tensors: Tensors) -> None:
    calendar = analyses.assembly.clock.calendar
    seen = [(port, parse_time(time, calendar)) for port, time in said["seen"]]
    analyses.seen = {event: tensors[f"seen:{k}"] for k, event in enumerate(seen)}
    analyses.done = [analyses.windows[k] for k in said["done"]]
    analyses.loop.number = said["number"]
    memory = {name[7:]: value for name, value in tensors.items() if name.startswith("memory:")}
    analyses.loop.analyst.memory = {**said["memory"], **memory}
    analyses.resume(tensors["x"])


# ---------------------------------------------------------------------- reading
def _digest(header: Mapping[str, Any], tensors: Tensors) -> str:
    own = {name: value for name, value in header.items() if name != "digest"}
    digest = hashlib.sha256(json.dumps(own, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)} {tensors[name].dtype} ".encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, Any], Tensors]:
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(ENTRY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        header = None if text is None else json.loads(text)
    except FileNotFoundError as error:
        raise CheckpointError("no such file", where=str(path)) from error
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise CheckpointError(f"is damaged: {error}", where=str(path), hint="write it again") from error
    if not isinstance(header, dict):
        raise CheckpointError("is no checkpoint of a session", where=str(path))
    if header.get("format") != FORMAT:
        what = f"has format {header.get('format')}, expected {FORMAT}"
        raise CheckpointError(what, where=str(path), hint="it was written by another version")
    if header.get("digest") != _digest(header, tensors):
        what = "is damaged: its numbers are not those that were written"
        raise CheckpointError(what, where=str(path), hint="write it again")
    return header, tensors


def _refuse_other(session: Session, header: Mapping[str, Any], path: Path) -> None:
    for name in header["parts"]:
        if name not in session.assembly.members:
            what = f"holds another session: there is no component {name!r} here"
            raise CheckpointError(what, where=str(path))


def _refuse_other_fields(part: HostedComponent, said: Mapping[str, Any], path: Path) -> None:
    own, saved = _words(part), said["fields"]
    for name in [*own, *(name for name in saved if name not in own)]:
        if own.get(name) != saved.get(name):
            here, there = own.get(name, "absent"), saved.get(name, "absent")
            what = f"{part.name}: {name} is {here!r} in this session, {there!r} in the file"
            raise CheckpointError(f"holds another session: {what}", where=str(path))
