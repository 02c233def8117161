"""One window of an inversion: its observations, their errors, and its Jacobian."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation import ForwardModel, Observations, ObservationsByWindow
from tradewind.couplers.assimilation.covariance import Covariance, DenseCovariance, DiagonalCovariance
from tradewind.couplers.assimilation.covariance import dense as written_out
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import LinearOperator
from tradewind.couplers.ranks.parallel import Communicator, agree, owned_blocks
from tradewind.errors import DataError, SpecError

NOTHING = Observations(torch.zeros(0, dtype=torch.float64), None)


def linearized(model: ForwardModel, x: Tensor, window: Interval, seen: Observations) -> LinearOperator:
    """Return K of `model` over `window`, as an operator.

    Raises
    ------
    DataError
        Observations that are not finite: names window and index.
    SpecError
        K of another shape than the observations.
    """
    refuse_nan(seen.y, "observation", window)
    operator = model.linearize(x, window)
    if (operator.range.size, operator.domain.size) != (len(seen), len(x)):
        raise SpecError(f"K is {operator!r} for {len(seen)} observations", where=f"window {window}")
    return operator


def simulate(model: ForwardModel, x: Tensor, window: Interval, seen: Observations) -> Tensor:
    """Return F(x) of a window, checked: shape ``(m,)``."""
    simulated = model(x, window).detach()
    if simulated.shape != seen.y.shape:
        what = f"the model simulates {tuple(simulated.shape)} for observations {tuple(seen.y.shape)}"
        raise SpecError(what, where=f"window {window}")
    refuse_nan(simulated, "simulated observation", window)
    return simulated


def noise(model: ForwardModel, x: Tensor, window: Interval, seen: Observations) -> Covariance:
    """Return R = So + the error of the model, variances or a covariance, where it is known.

    Raises
    ------
    DataError
        Observations without errors, or a model error of another size, that is negative, not symmetric or
        not finite.
    """
    if seen.covariance is None or seen.covariance.size != len(seen):
        raise DataError(f"{len(seen)} observations lack their errors", where=f"window {window}")
    own = model.error(x, window)
    if own is None:
        return seen.covariance
    refuse_nan(own, "variance of the model's error", window)
    _refuse_error(own, len(seen), window)
    if own.ndim == 1 and isinstance(seen.covariance, DiagonalCovariance):
        return DiagonalCovariance(seen.covariance.variance + own)
    own = torch.diag(own) if own.ndim == 1 else 0.5 * (own + own.T)
    return DenseCovariance(written_out(seen.covariance) + own)


def _refuse_error(own: Tensor, m: int, window: Interval) -> None:
    """Refuse a model error that is neither m variances nor an (m, m) covariance."""
    variances = own if own.ndim == 1 else own.diagonal() if own.ndim == 2 else own.new_zeros(0)
    if own.shape not in ((m,), (m, m)) or bool((variances < 0).any()):
        raise DataError("variances of the model's error are negative or too few", where=f"window {window}")
    if own.ndim == 2 and not torch.allclose(own, own.T, rtol=1e-6, atol=1e-9 * float(variances.sum())):
        raise DataError("the covariance of the model's error is not symmetric", where=f"window {window}")


def refuse_nan(values: Tensor, what: str, window: Interval, first: int = 0) -> None:
    """Raise `DataError` with window and index where `values`, the rows from `first`, are not finite."""
    bad = ~torch.isfinite(values)
    if bool(bad.any()):
        row, *column = bad.nonzero()[0].tolist()
        index = ", ".join(str(i) for i in (first + row, *column))
        value = float(values[bad][0])
        raise DataError(f"{what} [{index}] is {value}", where=f"window {window}", hint="remove or mend it")


def refuse_lost(model: ForwardModel, observations: ObservationsByWindow) -> None:
    """Refuse observations that no window of the rank that holds them would use; collective.

    Raises
    ------
    DataError
        No observation at all, one for a window that the model has not, or one that is not held by the
        rank that owns its window.
    """
    with agree(model.comm, "observations"):
        for window in observations:
            if window not in model.windows and len(observations[window]):
                known = f"the model has {len(model.windows)}"
                raise DataError(f"observations of an unknown window, {known}", where=f"window {window}")
    counts = np.array([[len(observations.get(w, NOTHING)) for w in model.windows]], dtype=np.int64)
    mine = np.zeros_like(counts)
    mine[0, owned(model.windows, model.comm)] = 1
    held = np.concatenate(model.comm.allgather_array(counts)).max(axis=0, initial=0)
    used = np.concatenate(model.comm.allgather_array(counts * mine)).sum(axis=0)
    if not used.any() and not held.any():
        raise DataError("there are no observations in any window", where="inversion")
    for number in np.flatnonzero(held != used):
        what = f"a rank holds {held[number]} observations, its owner {used[number]}"
        raise DataError(what, where=f"window {model.windows[int(number)]}", hint="give all ranks all windows")


def owned(windows: Sequence[Interval], comm: Communicator) -> range:
    """Return the numbers of this rank's windows."""
    return owned_blocks(len(windows), 1, comm)


def by_window(
    windows: Sequence[Interval], comm: Communicator, parts: Sequence[Tensor]
) -> Iterator[tuple[Interval, Tensor]]:
    """Yield every window with its ``(k, m)`` part, gathered from the owners; collective.

    Parameters
    ----------
    parts
        For this rank's windows, in order, shape ``(k, m)`` with one k everywhere.
    """
    lengths = np.array([p.shape[1] for p in parts], dtype=np.int64)
    every = np.concatenate(comm.allgather_array(lengths))
    k = max(comm.allgather(parts[0].shape[0] if parts else 0))
    rows = torch.cat([p.T for p in parts]) if parts else torch.zeros(0, k, dtype=torch.float64)
    whole = torch.from_numpy(np.concatenate(comm.allgather_array(rows.numpy())))
    yield from zip(windows, (p.T.contiguous() for p in torch.split(whole, every.tolist())), strict=True)
