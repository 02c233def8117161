"""Derivatives of one recorded step: by torch, or by the component itself.

The step is taken again from what the tape gives, so memory holds the graph of one step at a time, whatever
the tape itself holds. A component with ``jvp`` and ``vjp`` of its own is asked instead of torch, unless a
surrogate gave the answer.

All tangents and cotangents carry one leading batch axis: shape ``(k, member, *extra, cell)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from tradewind.coupled.tape import Taken
from tradewind.couplers.coupling.component import Flat, Key, Mode, Step
from tradewind.couplers.ranks.parallel import Communicator, Serial, agree
from tradewind.errors import NotDifferentiableError, SpecError, blaming

Again: TypeAlias = Callable[[Mapping[Key, Tensor]], dict[Key, Tensor]]
"""A recorded step as a function of what it is given."""
OWN = ("jvp", "vjp")


def step_tangent(taken: Taken, tangents: Flat, comm: Communicator | None = None) -> dict[Key, Tensor]:
    """Return the tangents of a step's exports and new state; collective over `comm`.

    Parameters
    ----------
    tangents
        By role and name of what the step was given; the same keys on all ranks.

    Raises
    ------
    NotDifferentiableError
        When the component says that it has no adjoint, or brings no ``jvp``.
    RankError
        When another rank has failed.
    """
    p, comm = taken.participant, comm or Serial()
    given = _filled(taken)
    active = {key: p.filled(key, tangents[key]) for key in given if key in tangents}
    if not active:
        return {}
    with agree(comm, _doing("tangent", taken, comm)), blaming(p.name):
        own = _own(taken, "jvp")
        if own is not None:
            return _known(taken, own(taken.call(given, Mode.TANGENT, comm), active), ("export", "state"))
        return _tangent(taken, given, active, comm)


def step_gradient(taken: Taken, cotangents: Flat, comm: Communicator | None = None) -> dict[Key, Tensor]:
    """Return the cotangents of a step's state, imports and parameters; collective over `comm`.

    Parameters
    ----------
    cotangents
        By role and name of exports and new state, at least one; the same keys on all ranks.

    Returns
    -------
    dict
        By role and name, for everything that the step was given: what nothing depends on is zero.

    Raises
    ------
    NotDifferentiableError
        When the component says that it has no adjoint, or brings no ``vjp``.
    RankError
        When another rank has failed.
    """
    p, comm = taken.participant, comm or Serial()
    given = _filled(taken)
    with agree(comm, _doing("gradient", taken, comm)), blaming(p.name):
        found = _gradients(taken, given, cotangents, comm)
    batch = next(iter(cotangents.values())).shape[0]
    # explicit zeros: what goes back into an exchange must not depend on what this rank happens to own
    whole = {key: found.get(key, value.new_zeros(batch, *value.shape)) for key, value in given.items()}
    return {key: p.collected(key, cotangent) for key, cotangent in whole.items()}


def _doing(what: str, taken: Taken, comm: Communicator) -> str:
    # a rank alone raises its own error: to write the time would take longer than small steps do
    return "" if comm.size == 1 else f"{what} of {taken.participant.name!r}, step {taken.interval}"


def _filled(taken: Taken) -> dict[Key, Tensor]:
    return {key: taken.participant.filled(key, value) for key, value in taken.given().items()}


def _own(taken: Taken, name: str) -> Callable[..., Flat] | None:
    """Return the component's own derivative; None where torch differentiates the answer."""
    p = taken.participant
    where, brings = f"component {p.name!r}", [n for n in OWN if hasattr(p.component, n)]
    from_reference = taken.by_reference or (taken.branch is not None and bool(taken.branch.any()))
    if from_reference and not p.spec.differentiable:
        hint = "use a method that needs no gradient, or a surrogate that stands in for its linearization"
        raise NotDifferentiableError("has no adjoint", where=where, hint=hint)
    if not from_reference or not brings:
        return None
    if not taken.by_reference:
        hint = "its own derivatives know nothing of the surrogate's members"
        raise NotDifferentiableError(f"answered together with {taken.answered_by}", where=where, hint=hint)
    if name not in brings:
        hint = f"give it a method {name}(call, derivatives)"
        raise NotDifferentiableError(f"brings its own derivatives, but no {name}", where=where, hint=hint)
    own: Callable[..., Flat] = getattr(p.component, name)
    return own


def _known(taken: Taken, found: Flat, roles: tuple[str, ...]) -> dict[Key, Tensor]:
    """Return what a component's own derivative gave, if it names what the component declares."""
    p = taken.participant
    declared = {("export", v.name) for v in p.spec.exports} | {("state", v.name) for v in p.spec.state}
    known = declared if "export" in roles else set(taken.given())
    if not set(found) <= known:
        unknown = sorted(set(found) - known)
        raise SpecError(
            f"its derivative names {unknown}, known are {sorted(known)}", where=f"component {p.name!r}"
        )
    return dict(found)


def _again(taken: Taken, mode: Mode, comm: Communicator) -> Again:
    def again(values: Mapping[Key, Tensor]) -> dict[Key, Tensor]:
        step: Step = taken.participant.answer(taken.call(values, mode, comm))
        exports = {("export", k): v for k, v in step.exports.items()}
        return exports | {("state", k): v for k, v in step.state.fields.items()}

    return again


def _tangent(
    taken: Taken, given: dict[Key, Tensor], active: dict[Key, Tensor], comm: Communicator
) -> dict[Key, Tensor]:
    again = _again(taken, Mode.REPLAY, comm)
    if taken.participant.spec.linear and not any(role == "parameter" for role, _ in active):
        return _superposed(given, again, active)
    fixed = {key: value for key, value in given.items() if key not in active}
    with torch.enable_grad():
        primal = {key: given[key].detach().requires_grad_() for key in active}
        answer = {k: v for k, v in again(fixed | primal).items() if v.requires_grad}
        return _forward(answer, primal, active)


def _forward(
    answer: Mapping[Key, Tensor], primal: Mapping[Key, Tensor], active: Mapping[Key, Tensor]
) -> dict[Key, Tensor]:
    """Return the tangents of what was computed from `primal`: the derivative by u of that of <u, answer>.

    torch's forward mode gives the same, but spends a millisecond on every product with a number.
    """
    if not answer:
        return {}
    u = [torch.zeros_like(value, requires_grad=True) for value in answer.values()]
    gradient = torch.autograd.grad(
        list(answer.values()), list(primal.values()), u, create_graph=True, materialize_grads=True
    )
    given = [(g, active[key]) for key, g in zip(primal, gradient, strict=True) if g.requires_grad]
    found = _batched([g for g, _ in given], u, [tangent for _, tangent in given])
    return {key: t for key, t in zip(answer, found, strict=True) if t is not None}


def _superposed(given: dict[Key, Tensor], again: Again, active: dict[Key, Tensor]) -> dict[Key, Tensor]:
    """Return the tangents of a linear step: the step itself, with batch and members on one axis."""
    k, members = next(iter(active.values())).shape[:2]
    fixed = {key: value for key, value in given.items() if key[0] == "parameter"}
    still = {key: v.new_zeros(k, *v.shape) for key, v in given.items() if key not in fixed | active}
    merged = {key: value.flatten(0, 1) for key, value in (still | active).items()}
    merged |= {key: value.repeat(k, *[1] * (value.ndim - 1)) for key, value in fixed.items()}
    return {key: v.reshape(k, members, *v.shape[1:]) for key, v in again(merged).items()}


def _gradients(
    taken: Taken, given: dict[Key, Tensor], cotangents: Flat, comm: Communicator
) -> dict[Key, Tensor]:
    own = _own(taken, "vjp")
    if own is not None:
        return _known(taken, own(taken.call(given, Mode.REPLAY, comm), cotangents), ("given",))
    leaves = {key: value.detach().requires_grad_() for key, value in given.items()}
    with torch.enable_grad():
        came = _again(taken, Mode.REPLAY, comm)(leaves)
    seen = [key for key in came if key in cotangents and came[key].requires_grad]
    if not seen:
        return {}
    found = _batched([came[key] for key in seen], list(leaves.values()), [cotangents[key] for key in seen])
    return {key: g for key, g in zip(leaves, found, strict=True) if g is not None}


def _batched(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], cotangents: Sequence[Tensor]
) -> list[Tensor | None]:
    """Return the gradients of `inputs` for batches of cotangents ``(k, ...)``; None where nothing depends."""
    if not outputs:
        return [None] * len(inputs)
    if len(cotangents[0]) > 1:
        return list(torch.autograd.grad(
            outputs, inputs, cotangents, allow_unused=True, is_grads_batched=True
        ))  # fmt: skip
    # one column, as iterative methods ask for, needs no vectorisation, which costs more than small steps
    single = [cotangent[0] for cotangent in cotangents]
    found = torch.autograd.grad(outputs, inputs, single, allow_unused=True)
    return [None if gradient is None else gradient[None] for gradient in found]
