"""Derivatives of a recorded run: the tape replayed forward for tangents, in reverse for gradients.

Within a step, torch differentiates: the step is taken again from the state on the tape, so memory holds
one state per coupling interval and the graph of one step. Between steps and components this module adds
up cotangents itself, in the declared order, with explicit zeros where nothing depends: every rank enters
every exchange. A component with ``jvp`` and ``vjp`` of its own is asked instead of torch.

All tangents and cotangents carry one leading batch axis: shape ``(k, member, *extra, cell)``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

import torch
from torch import Tensor

from tradewind.couplers.component import Mode, StepCall
from tradewind.couplers.fields import Fields
from tradewind.coupledrun import CoupledRun, Event, Interim, Port, Put, Taken, TapeEvent
from tradewind.errors import NotDifferentiableError

Key: TypeAlias = tuple[str, str]
"""Role and name of a tensor that goes into a step, or comes out of it."""
Flat: TypeAlias = dict[Key, Tensor]


def step_function(taken: Taken) -> tuple[Flat, Callable[[Flat], Flat]]:
    """Return what a recorded step was given, and the step as a function of it.

    Raises
    ------
    NotDifferentiableError
        When the component says that it has no adjoint.
    """
    if not taken.participant.spec.differentiable:
        raise NotDifferentiableError(
            "has no adjoint", where=f"component {taken.participant.name!r}",
            hint="use a method that needs no gradient, or a surrogate that stands in for its linearization",
        )  # fmt: skip
    given: Flat = {("state", k): v for k, v in taken.state.fields.items()}
    given |= {("import", k): v for k, v in taken.imports.items()}
    given |= {("parameter", k): v for k, v in taken.parameters.items()}

    def again(values: Flat) -> Flat:
        fields = {role: _role(values, role) for role in ("state", "import", "parameter")}
        state = replace(taken.state, fields=fields["state"])
        call = StepCall(
            taken.participant.name, state, fields["import"], fields["parameter"], taken.interval,
            mode=Mode.REPLAY, branch=taken.branch,
        )  # fmt: skip
        step = taken.participant.answer(call)
        came = {("export", k): v for k, v in step.exports.items()}
        return came | {("state", k): v for k, v in step.state.fields.items()}

    return given, again


def _role(values: Flat, role: str) -> Fields:
    return {name: value for (r, name), value in values.items() if r == role}


def step_tangent(taken: Taken, tangents: Flat) -> Flat:
    """Return the tangents of a step's exports and new state, shape ``(k, member, *extra, cell)``."""
    given, again = step_function(taken)
    active = {key: t for key, t in tangents.items() if key in given}
    if not active:
        return {}
    own = getattr(taken.participant.component, "jvp", None)
    if own is not None:
        return dict(own(taken, active))
    if taken.participant.spec.linear and not any(role == "parameter" for role, _ in active):
        return _superposed(given, again, active)
    fixed = {key: v for key, v in given.items() if key not in active}
    primal = {key: given[key] for key in active}

    def one(tangent: Flat) -> Flat:
        return torch.func.jvp(lambda x: again(fixed | x), (primal,), (tangent,))[1]

    return torch.func.vmap(one)(active)


def _superposed(given: Flat, again: Callable[[Flat], Flat], active: Flat) -> Flat:
    """Return the tangents of a linear step: the step itself, with batch and members on one axis."""
    k, members = next(iter(active.values())).shape[:2]
    fixed = {key: v for key, v in given.items() if key[0] == "parameter"}
    moving = {key: v.new_zeros(k, *v.shape) for key, v in given.items() if key[0] != "parameter"}
    merged = {key: v.flatten(0, 1) for key, v in (moving | active).items()}
    merged |= {key: v.repeat(k, *[1] * (v.ndim - 1)) for key, v in fixed.items()}
    return {key: v.unflatten(0, (k, members)) for key, v in again(merged).items()}


def step_gradient(taken: Taken, cotangents: Flat) -> Flat:
    """Return the cotangents of a step's state, imports and parameters, by the same keys as it was given."""
    own = getattr(taken.participant.component, "vjp", None)
    if own is not None:
        return dict(own(taken, cotangents))
    given, again = step_function(taken)
    leaves = {key: v.detach().requires_grad_() for key, v in given.items()}
    with torch.enable_grad():
        came = again(leaves)
    seen = [key for key in came if key in cotangents and came[key].requires_grad]
    if not seen:
        return {key: _zeros(v, cotangents) for key, v in leaves.items()}
    found = torch.autograd.grad(
        [came[key] for key in seen], list(leaves.values()), [cotangents[key] for key in seen],
        allow_unused=True, is_grads_batched=True,
    )  # fmt: skip
    # explicit zeros: what goes back into an exchange must not depend on what this rank happens to own
    pairs = zip(leaves.items(), found, strict=True)
    return {key: _zeros(v, cotangents) if g is None else g for (key, v), g in pairs}


def _zeros(value: Tensor, cotangents: Flat) -> Tensor:
    batch = next(iter(cotangents.values())).shape[0]
    return torch.zeros(batch, *value.shape, dtype=value.dtype)


def _add(total: dict[Port, Tensor], port: Port, value: Tensor) -> None:
    total[port] = total[port] + value if port in total else value


def tangents(run: CoupledRun, tape: Sequence[TapeEvent], given: Mapping[Event, Tensor], wanted: Sequence[Event]) -> dict[Event, Tensor]:
    """Replay `tape` forward: tangents of `wanted` exports, for tangents of the puts in `given`.

    Parameters
    ----------
    given
        By ``(port, time)`` of the put, shape ``(k, member, *extra, cell)``.
    wanted
        Ports and times: an export at the end of an interval, or what an import was delivered during the
        interval that ends then.
    """
    sweep = _Forward(run, given, wanted)
    for event in tape:
        sweep.take(event)
    return sweep.result()


@dataclass
class _Forward:
    """Tangents on their way forward along the tape."""

    run: CoupledRun
    given: Mapping[Event, Tensor]
    wanted: Sequence[Event]
    held: dict[Port, Tensor] = field(default_factory=dict)
    states: dict[Port, Tensor] = field(default_factory=dict)
    found: dict[Event, Tensor] = field(default_factory=dict)

    def take(self, event: TapeEvent) -> None:
        if isinstance(event, Put):
            self._put(event)
        else:
            self._interim(event)

    def result(self) -> dict[Event, Tensor]:
        like = next(iter(self.given.values()))
        return {e: self.found[e] if e in self.found else self._zero(e, like.shape[0]) for e in self.wanted}

    def _zero(self, event: Event, k: int) -> Tensor:
        value = self.run.moment.exports[event[0]]
        return value.new_zeros(k, *value.shape)

    def _put(self, event: Put) -> None:
        tangent = self.given.get((event.port, event.time))
        of = self.states if _is_state(self.run, event.port) else self.held
        of.pop(event.port, None)
        if tangent is not None:
            of[event.port] = tangent

    def _interim(self, event: Interim) -> None:
        moving: dict[Port, Tensor] = {}
        for taken in event.taken:
            self._step(taken, moving)
        for exchange in self.run.open_ends:
            if exchange.source.port in moving:
                moving[exchange.target.port] = exchange.forward(moving[exchange.source.port])
        for port, time in self.wanted:
            if time == event.interval.stop and port in moving:
                self.found[port, time] = moving[port]

    def _step(self, taken: Taken, moving: dict[Port, Tensor]) -> None:
        p = taken.participant
        for exchange in self.run.into[p.name]:
            if exchange.source.port in moving:
                moving[exchange.target.port] = exchange.forward(moving[exchange.source.port])
        known = self.held | moving
        roles = {"import": p.spec.imports, "parameter": p.spec.parameters}
        given = {(role, v.name): known[p.port(v.name)] for role, vs in roles.items() for v in vs if p.port(v.name) in known}
        given |= {("state", v.name): self.states.pop(p.port(v.name)) for v in p.spec.state if p.port(v.name) in self.states}
        given = {key: self._to_members(t) for key, t in given.items()}
        for (role, name), tangent in step_tangent(taken, given).items():
            (self.states if role == "state" else moving)[p.port(name)] = tangent

    def _to_members(self, tangent: Tensor) -> Tensor:
        return tangent.expand(-1, self.run.members, *tangent.shape[2:])


def gradients(
    run: CoupledRun, tape: Sequence[TapeEvent], cotangents: Mapping[Event, Tensor]
) -> dict[Event, Tensor]:
    """Replay `tape` in reverse: cotangents of every put, for cotangents of exports.

    Parameters
    ----------
    cotangents
        By ``(port, time)``, as `wanted` of `tangents`; shape ``(k, member, *extra, cell)``.

    Returns
    -------
    dict
        By ``(port, time)`` of the puts; a put that nothing depends on is absent.
    """
    sweep = _Reverse(run, cotangents)
    for event in reversed(tape):
        sweep.take(event)
    return sweep.found


@dataclass
class _Reverse:
    """Cotangents on their way back along the tape."""

    run: CoupledRun
    cotangents: Mapping[Event, Tensor]
    held: dict[Port, Tensor] = field(default_factory=dict)
    states: dict[Port, Tensor] = field(default_factory=dict)
    found: dict[Event, Tensor] = field(default_factory=dict)

    def take(self, event: TapeEvent) -> None:
        if isinstance(event, Put):
            self._put(event)
        else:
            self._interim(event)

    def _put(self, event: Put) -> None:
        of = self.states if _is_state(self.run, event.port) else self.held
        if event.port in of:
            self.found[event.port, event.time] = of.pop(event.port)

    def _interim(self, event: Interim) -> None:
        moving = {port: c for (port, time), c in self.cotangents.items() if time == event.interval.stop}
        for exchange in reversed(self.run.open_ends):
            if exchange.target.port in moving:
                _add(moving, exchange.source.port, exchange.adjoint(moving.pop(exchange.target.port)))
        for taken in reversed(event.taken):
            self._step(taken, moving)

    def _step(self, taken: Taken, moving: dict[Port, Tensor]) -> None:
        p = taken.participant
        cots = {("export", v.name): moving.pop(p.port(v.name)) for v in p.spec.exports if p.port(v.name) in moving}
        cots |= {("state", v.name): self.states.pop(p.port(v.name)) for v in p.spec.state if p.port(v.name) in self.states}
        came = step_gradient(taken, cots) if cots else {}
        delivered = {e.target.port: e for e in self.run.into[p.name]}
        for (role, name), cotangent in came.items():
            port = p.port(name)
            of = self.states if role == "state" else moving if port in delivered else self.held
            _add(of, port, cotangent)
        for port, exchange in delivered.items():
            if port in moving:
                _add(moving, exchange.source.port, exchange.adjoint(moving.pop(port)))


def _is_state(run: CoupledRun, port: Port) -> bool:
    return run._find(port)[1] == "state"


def gradient_function(
    run: CoupledRun, inputs: Sequence[Port], outputs: Sequence[Event], until: datetime
) -> Callable[..., tuple[Tensor, ...]]:
    """Return the run, from where it stands to `until`, as one differentiable torch function.

    The function takes the values to put at `inputs` and returns `outputs`; its backward replays the tape on
    the thread that calls ``backward()`` on the CPU.
    """
    start = run.moment

    class Run(torch.autograd.Function):
        @staticmethod
        def forward(ctx: torch.autograd.function.FunctionCtx, *values: Tensor) -> tuple[Tensor, ...]:
            run.rewind(start)
            with run.recording() as tape:
                for port, value in zip(inputs, values, strict=True):
                    run.put(port, value.detach())
                answers = {}
                for time in sorted({t for _, t in outputs} | {until}):
                    run.advance(time)
                    answers |= {(p, t): run.get(p) for p, t in outputs if t == time}
            ctx.tape = tape  # type: ignore[attr-defined]
            ctx.shapes = [value.shape for value in values]  # type: ignore[attr-defined]
            return tuple(answers[event] for event in outputs)

        @staticmethod
        def backward(ctx: torch.autograd.function.FunctionCtx, *cotangents: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
            asked = {event: c[None] for event, c in zip(outputs, cotangents, strict=True)}
            found = gradients(run, ctx.tape, asked)  # type: ignore[attr-defined]
            return tuple(
                _like(found.get((port, start.time)), shape)
                for port, shape in zip(inputs, ctx.shapes, strict=True)  # type: ignore[attr-defined]
            )

    return Run.apply


def _like(cotangent: Tensor | None, shape: torch.Size) -> Tensor:
    if cotangent is None:
        return torch.zeros(shape, dtype=torch.float64)
    return cotangent[0].sum(0, keepdim=True) if shape[0] == 1 else cotangent[0]
