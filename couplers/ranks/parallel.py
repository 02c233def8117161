"""Communicators, agreement on errors, and sums that do not depend on the number of ranks.

Nothing here imports mpi4py: a serial run never loads it, and a run under MPI brings its own communicator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np

from tradewind.errors import RankError, SpecError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

T = TypeVar("T")


@runtime_checkable
class Communicator(Protocol):
    """The few collective operations that the project uses; every rank must enter each of them."""

    @property
    def rank(self) -> int:
        """Number of this rank, from 0."""

    @property
    def size(self) -> int:
        """Number of ranks."""

    def allgather(self, item: T) -> list[T]:
        """Return every rank's `item` (any small object), by rank."""

    def bcast(self, item: T, root: int = 0) -> T:
        """Return the `item` of rank `root`."""

    def barrier(self) -> None:
        """Wait until every rank has come here."""

    def allgather_array(self, array: Array) -> list[Array]:
        """Return every rank's array, by rank; ranks may differ in the length of axis 0 only."""

    def exchange(self, arrays: Sequence[Array]) -> list[Array]:
        """Send ``arrays[r]`` to rank r and return what each rank sent here, by rank.

        Arrays are float64 or int64; they may differ in the length of axis 0 only, here and elsewhere.
        """

    def split(self, color: int, key: int = 0) -> Communicator:
        """Return the communicator of the ranks that give the same `color`, ordered by `key`."""


class Serial:
    """One rank: everything is at hand, and nothing is imported."""

    rank: int = 0
    size: int = 1

    def allgather(self, item: T) -> list[T]:
        """Return ``[item]``."""
        return [item]

    def bcast(self, item: T, root: int = 0) -> T:
        """Return `item`."""
        return item

    def barrier(self) -> None:
        """Return at once."""

    def allgather_array(self, array: Array) -> list[Array]:
        """Return ``[array]``."""
        return [np.asarray(array)]

    def exchange(self, arrays: Sequence[Array]) -> list[Array]:
        """Return what was sent to rank 0, that is, to this one."""
        return [np.asarray(a) for a in _per_rank(arrays, self.size)]

    def split(self, color: int, key: int = 0) -> Serial:
        """Return a serial communicator."""
        return Serial()

    def __repr__(self) -> str:
        return "Serial()"


class MpiCommunicator:
    """An mpi4py communicator seen through `Communicator`; large arrays travel as buffers.

    Parameters
    ----------
    comm
        An ``mpi4py.MPI.Comm``; it is neither copied nor freed here.
    """

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()

    def allgather(self, item: T) -> list[T]:
        """Return every rank's `item`."""
        return list(self.comm.allgather(item))

    def bcast(self, item: T, root: int = 0) -> T:
        """Return the `item` of rank `root`."""
        received: T = self.comm.bcast(item, root=root)
        return received

    def barrier(self) -> None:
        """Wait for all ranks."""
        self.comm.Barrier()

    def allgather_array(self, array: Array) -> list[Array]:
        """Return every rank's array (one ``Allgatherv``)."""
        array = np.ascontiguousarray(array)
        lengths = self._lengths(np.full(self.size, len(array), dtype=np.int64))
        out = np.empty((int(lengths.sum()), *array.shape[1:]), dtype=array.dtype)
        row = _row(array)
        self.comm.Allgatherv(array, [out, (lengths * row, _starts(lengths) * row)])
        return np.split(out, np.cumsum(lengths)[:-1])

    def exchange(self, arrays: Sequence[Array]) -> list[Array]:
        """Exchange one array with every rank (one ``Alltoallv``)."""
        parts = _per_rank(arrays, self.size)
        sent = np.array([len(p) for p in parts], dtype=np.int64)
        packed = np.ascontiguousarray(np.concatenate(parts))
        received = self._lengths(sent)
        out = np.empty((int(received.sum()), *packed.shape[1:]), dtype=packed.dtype)
        row = _row(packed)
        self.comm.Alltoallv(
            [packed, (sent * row, _starts(sent) * row)], [out, (received * row, _starts(received) * row)]
        )
        return np.split(out, np.cumsum(received)[:-1])

    def split(self, color: int, key: int = 0) -> MpiCommunicator:
        """Return the communicator of the ranks of this `color`."""
        return MpiCommunicator(self.comm.Split(color, key))

    def _lengths(self, sent: NDArray[np.int64]) -> NDArray[np.int64]:
        received = np.empty_like(sent)
        self.comm.Alltoall(sent, received)
        return received

    def __repr__(self) -> str:
        return f"MpiCommunicator(rank {self.rank} of {self.size})"


def _row(array: Array) -> int:
    return int(np.prod(array.shape[1:], dtype=np.int64))


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)[:-1]])


def _per_rank(arrays: Sequence[Array], size: int) -> Sequence[Array]:
    if len(arrays) != size:
        raise SpecError(f"{len(arrays)} arrays to exchange among {size} ranks", hint="give one per rank")
    return arrays


def as_communicator(comm: object | None) -> Communicator:
    """Return `comm` as a `Communicator`: None is serial, an mpi4py communicator is wrapped.

    Raises
    ------
    SpecError
        When `comm` is neither.
    """
    if comm is None:
        return Serial()
    if isinstance(comm, Serial | MpiCommunicator):
        return comm
    if hasattr(comm, "Get_rank"):
        return MpiCommunicator(comm)
    if isinstance(comm, Communicator):
        return comm
    raise SpecError(f"{type(comm).__name__} is no communicator", hint="give None or an mpi4py communicator")


class _Agreement:
    """The context of `agree`."""

    def __init__(self, comm: Communicator, where: str) -> None:
        self.comm, self.where = comm, where

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.comm.size == 1:
            return
        reports = self.comm.allgather(None if kind is None else (kind.__name__, str(error)))
        failed = [r for r, report in enumerate(reports) if report is not None]
        if failed and error is None:
            raise self._elsewhere(failed, reports[failed[0]])

    def _elsewhere(self, failed: list[int], report: tuple[str, str] | None) -> RankError:
        name, message = report or ("", "")
        others = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        where = f"rank {failed[0]}{others}" + (f", {self.where}" if self.where else "")
        return RankError(f"{name}: {message}", where=where, hint="this rank had no fault of its own")


def agree(comm: Communicator, where: str = "") -> _Agreement:
    """Make all ranks fail together: ``with agree(comm): check_my_part()``.

    A rank whose body raises re-raises its own error after the block; the others raise `RankError`, which
    names the first failing rank and its message. The body must be local: a collective inside it would
    wait for a rank that has already failed.

    Parameters
    ----------
    comm
        The ranks that must agree; every one of them enters.
    where
        What was being done, for the message.
    """
    return _Agreement(comm, where)


def block_ranges(n: int, block: int) -> list[range]:
    """Cut ``range(n)`` into blocks of `block` global indices (the last may be shorter)."""
    return [range(start, min(start + block, n)) for start in range(0, n, block)]


def owned_blocks(n: int, block: int, comm: Communicator) -> range:
    """Return the numbers of the blocks of `block_ranges` that this rank owns: whole and contiguous.

    Blocks are dealt as evenly as they go; with fewer blocks than ranks, some ranks own none.
    """
    count = -(-n // block)
    return range(comm.rank * count // comm.size, (comm.rank + 1) * count // comm.size)


def tree_sum(x: torch.Tensor) -> torch.Tensor:
    """Sum a tensor of shape ``(n, *rest)`` over axis 0 by adding neighbours, then neighbours of those.

    Only elementwise additions are used, so a result never depends on the other axes, as that of
    ``torch.sum`` does, and sums over aligned blocks of a power of two can be summed again to the same bits.
    """
    import torch

    if len(x) == 0:
        return x.new_zeros(x.shape[1:])
    while len(x) > 1:
        if len(x) % 2:
            x = torch.cat([x, x.new_zeros((1, *x.shape[1:]))])
        x = x[0::2] + x[1::2]
    return x[0]


def tree_sum_array(x: Array) -> Array:
    """Return what `tree_sum` does, to the bit, of an array ``(n, *rest)``: quicker where n is small."""
    if len(x) == 0:
        return np.zeros(x.shape[1:], dtype=x.dtype)
    while (n := len(x)) > 1:
        if n % 2:
            x = np.concatenate([x, np.zeros_like(x[:1])])
        x = x[0::2] + x[1::2]
    first: Array = x[0]
    return first


def ordered_sum(
    comm: Communicator, blocks: Mapping[int, torch.Tensor] | Iterable[tuple[int, torch.Tensor]]
) -> torch.Tensor:
    """Sum all ranks' blocks in the order of their global numbers: the same bits for any number of ranks.

    Parameters
    ----------
    blocks
        Float64 tensors of one shape by global block number; a rank may have none.

    Returns
    -------
    The sum, on every rank. The work is shared: each rank sums a slice of the elements.

    Raises
    ------
    SpecError
        When no rank has a block, or shapes or dtypes differ (all ranks raise together).
    """
    import torch

    mine = sorted(dict(blocks).items(), key=lambda item: item[0])
    shape = _common_shape(comm, [b for _, b in mine])
    numbers = np.array([n for n, _ in mine], dtype=np.int64)
    flat = np.zeros((len(mine), int(np.prod(shape, dtype=np.int64))))
    for row, (_, block) in zip(flat, mine, strict=True):
        row[:] = block.detach().cpu().numpy().reshape(-1)
    slices = np.array_split(flat, comm.size, axis=1)
    order = np.argsort(np.concatenate(comm.allgather_array(numbers)), kind="stable")
    total = _sum_slices(comm, slices, order)
    out = torch.from_numpy(np.concatenate(comm.allgather_array(total)).reshape(shape))
    return out.to(mine[0][1].device) if mine else out


def _sum_slices(comm: Communicator, slices: list[Array], order: Array) -> Array:
    # widths differ by rank, and `exchange` wants one trailing shape: send element by element
    width = slices[comm.rank].shape[1]
    received = comm.exchange([np.ascontiguousarray(s).reshape(-1) for s in slices])
    stacked = np.concatenate([r.reshape(-1, width) for r in received]) if width else np.zeros((len(order), 0))
    total = np.zeros(width)
    for number in order:
        total = total + stacked[number]
    return total


def _common_shape(comm: Communicator, blocks: list[torch.Tensor]) -> tuple[int, ...]:
    found = {(tuple(b.shape), str(b.dtype)) for b in blocks}
    every = sorted(set().union(*comm.allgather(found)))
    if len(every) != 1 or every[0][1] != "torch.float64":
        raise SpecError(
            f"blocks to sum have {every or 'no shape at all'}",
            where="ordered_sum",
            hint="all blocks of all ranks need one shape and float64, and one rank needs a block",
        )
    return every[0][0]
