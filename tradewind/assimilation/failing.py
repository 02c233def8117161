"""What becomes of members that did not come through a window; every rank enters, and does the same."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor

from tradewind.assimilation.forecasting import Failed, Through
from tradewind.assimilation.sharing import Shares
from tradewind.assimilation.waves import Wave, together
from tradewind.config.sections.solving import Failure
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.ranks.parallel import Communicator, tree_sum
from tradewind.errors import ModelError

SHOWN = 5
"""Failures that an error tells of."""
FEWEST = 2
"""Members without which there is no spread."""


@dataclass(frozen=True)
class Outcome:
    """The members after a window's failures.

    Attributes
    ----------
    waves, shown
        This rank's, and what they show, shape ``(len(ids), m)`` each.
    shares
        Of all ranks.
    mirrored
        Members that were replaced: copies of others, to be mirrored about the mean before the analysis.
    notes
        For the user.
    """

    waves: list[Wave]
    shown: list[Tensor]
    shares: Shares
    mirrored: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def settled(
    through: Sequence[Through], shares: Shares, policy: Failure, window: Interval, comm: Communicator
) -> Outcome:
    """Return the members to go on with; collective.

    Raises
    ------
    ModelError
        On all ranks: when a member has failed and `policy` is to stop, or too few are left.
    """
    mine = [failure for part in through for failure in part.failed]
    failed = sorted(mine if comm.size == 1 else chain(*comm.allgather(mine)))
    waves, shown = [part.wave for part in through], [part.shown for part in through]
    if not failed:
        return Outcome(waves, shown, shares)
    lost = [failure.member for failure in failed]
    _refuse(failed, len(shares.members) - len(lost), policy, window)
    left = shares.without(lost)
    if policy is Failure.DROP:
        return Outcome(waves, shown, left, notes=tuple(_notes(failed, window, "given up")))
    for failure in failed:
        _copy_into(waves, shown, (failure.member, _donor(failure.member, left)), shares, comm)
    what = "replaced by the mirror image of another"
    return Outcome(waves, shown, shares, tuple(lost), tuple(_notes(failed, window, what)))


def _refuse(failed: Sequence[Failed], left: int, policy: Failure, window: Interval) -> None:
    told = "; ".join(f"member {member}: {reason}" for member, reason in failed[:SHOWN])
    more = f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    if policy is Failure.STOP:
        hint = "look at its state, set ensemble.limits, or ensemble.failure to replace or drop"
        raise ModelError(f"{told}{more}", where=f"window {window}", hint=hint)
    if left < FEWEST:
        what = f"{left} members are left ({told}{more})"
        raise ModelError(what, where=f"window {window}", hint=f"an ensemble needs {FEWEST} at least")


def _notes(failed: Sequence[Failed], window: Interval, what: str) -> Iterator[str]:
    for member, reason in failed:
        yield f"window {window}: member {member} was {what}: {reason}"


def _donor(member: int, left: Shares) -> int:
    """Return the next member that came through, or else the first."""
    return next((other for other in left.members if other > member), left.members[0])


def _copy_into(
    waves: list[Wave], shown: list[Tensor], pair: tuple[int, int], shares: Shares, comm: Communicator
) -> None:
    """Put a copy of the second of a pair of members into the place of the first; collective."""
    member, donor = pair
    owner, receiver = shares.rank_of(donor), shares.rank_of(member)
    copy = _taken(waves, shown, donor) if comm.rank == owner else None
    copy = comm.bcast(copy, root=owner)
    if copy is None or comm.rank != receiver:
        return
    number = next(n for n, ids in enumerate(shares.waves[receiver]) if member in ids)
    single, row = copy
    at = bisect(waves[number].ids, member)
    waves[number] = together([waves[number], replace(single, ids=(member,))])
    shown[number] = torch.cat([shown[number][:at], row, shown[number][at:]])


def _taken(waves: Sequence[Wave], shown: Sequence[Tensor], member: int) -> tuple[Wave, Tensor]:
    number = next(n for n, wave in enumerate(waves) if member in wave.ids)
    position = waves[number].ids.index(member)
    return waves[number].select([position]), shown[number][position : position + 1]


def mirrored(field: Tensor, rows: Sequence[int]) -> Tensor:
    """Return all members of a field, shape ``(N, ...)``, with some of them mirrored about the others' mean.

    Each of `rows` is a copy of another: plus another's perturbation it would stay that copy for ever in a
    filter and a model that draw nothing, minus it the spread is kept as well.
    """
    if not rows:
        return field
    others = [n for n in range(len(field)) if n not in rows]
    mean = tree_sum(field[others]) / len(others)
    out = field.clone()
    out[list(rows)] = 2.0 * mean - field[list(rows)]
    return out
