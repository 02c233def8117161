"""Weights between one rank that holds them all, for files, and the owners of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.couplers.regrid.weights.triplets import Triplets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.ranks.layout import Layout


def gathered(local: Triplets, target: Layout) -> Triplets:
    """Return all ranks' rows on rank 0, sorted by row, then column, and none elsewhere; collective.

    Parameters
    ----------
    local
        At least the rows that this rank owns; others, which another rank owns, are left out.
    """
    if target.is_serial:
        return local
    keep = target.server[0][local.row] == target.comm.rank
    index = _to_root(target, np.stack([local.row[keep], local.col[keep]], axis=1))
    value = _to_root(target, local.value[keep])
    frac = np.zeros(target.n_global)
    cells = _to_root(target, target.owned)
    frac[cells] = _to_root(target, local.frac_target[target.owned])
    # each rank's entries are in order: a stable sort by row leaves them so
    order = np.argsort(index[:, 0], kind="stable")
    return Triplets(index[order, 0], index[order, 1], value[order], frac, local.n_source)


def dealt(whole: Triplets | None, target: Layout) -> Triplets:
    """Return to every rank the rows that it owns of what rank 0 holds; collective.

    Parameters
    ----------
    whole
        All weights on rank 0, None elsewhere.
    """
    if whole is not None and target.is_serial:
        return whole
    sent = _none() if whole is None else whole
    owner = target.server[0][sent.row]
    picks = [np.flatnonzero(owner == rank) for rank in range(target.comm.size)]
    index = _from_root(target, [np.stack([sent.row[p], sent.col[p]], axis=1) for p in picks])
    value = _from_root(target, [sent.value[p] for p in picks])
    frac = _from_root(target, [sent.frac_target] * target.comm.size)
    n_source = target.comm.bcast(sent.n_source)
    return Triplets(index[:, 0].copy(), index[:, 1].copy(), value, frac, n_source)


def _none() -> Triplets:
    index, value = np.empty(0, dtype=np.int64), np.empty(0)
    return Triplets(index, index, value, value, 0)


def _to_root(target: Layout, part: NDArray[Any]) -> NDArray[Any]:
    nothing = [part[:0]] * (target.comm.size - 1)
    return np.concatenate(target.comm.exchange([part, *nothing]))


def _from_root(target: Layout, parts: list[NDArray[Any]]) -> NDArray[Any]:
    return target.comm.exchange(parts)[0]
