"""What a filter is given, looked through before anything is done with it."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from torch import Tensor

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.couplers.assimilation.covariance import Covariance, DiagonalCovariance
from tradewind.couplers.compiled import compiled
from tradewind.couplers.ranks.parallel import Communicator, Serial, agree
from tradewind.errors import DataError, SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

SAME = "all members are the same: the analysis is the forecast"
BLIND = "all members show the same: observations change no mean"


class Seen(NamedTuple):
    """The departures of an ensemble, observation by observation.

    Where errors are independent, both are divided by their standard deviations, and R is I.

    Attributes
    ----------
    anomalies
        Zᵀ, shape ``(m, N)``.
    innovations
        d, shape ``(m,)``.
    covariance
        R where errors are correlated; None: R is I.
    """

    anomalies: Array
    innovations: Array
    covariance: Covariance | None = None


def communicator(ensemble: Ensemble, observations: Observations) -> Communicator:
    """Return the ranks that share the fields or the observations."""
    if observations.comm is not None:
        return observations.comm
    shared = [layout.comm for layout in ensemble.layouts.values() if layout is not None]
    return shared[0] if shared else Serial()


def total(observations: Observations) -> int:
    """Return how many observations all ranks hold; collective where each has its own."""
    m = len(observations)
    return m if observations.comm is None else sum(observations.comm.allgather(m))


def seen(ensemble: Ensemble, observations: Observations, where: str) -> Seen:
    """Return the departures, once everything fits together; collective where ranks share something.

    Raises
    ------
    SpecError
        Fewer than two members, or members, observations or sizes that do not match.
    DataError
        Members, observations or errors that cannot be used; names the first.
    """
    with agree(communicator(ensemble, observations), where):
        _fits(ensemble, observations, where)
        for name, field in ensemble.fields.items():
            _refuse_member(field, f"field {name!r}", where)
        return _departures(ensemble.simulated, observations, where)


def notes(ensemble: Ensemble, found: Seen) -> tuple[str, ...]:
    """Return what is odd about the ensemble, in words; of what this rank holds."""
    if not len(found.innovations) or any_of(found.anomalies):
        return ()
    return (BLIND,) if any(_differ(flat(field)) for field in ensemble.fields.values()) else (SAME,)


def _fits(ensemble: Ensemble, observations: Observations, where: str) -> None:
    members, m = ensemble.members, len(observations)
    if members < 2:
        raise SpecError(f"{members} member(s) have no spread", where=where, hint="run two or more")
    if ensemble.simulated.shape != (members, m):
        what = f"simulated has shape {tuple(ensemble.simulated.shape)} for {m} observations"
        raise SpecError(what, where=where, hint="give (member, m)")
    for name, field in ensemble.fields.items():
        if len(field) != members:
            what = f"{len(field)} members, simulated has {members}"
            raise SpecError(what, where=f"{where}, field {name!r}")
        layout = ensemble.layouts.get(name)
        if layout is not None and field.shape[-1] != layout.n_local:
            what = f"{field.shape[-1]} cells, the layout has {layout.n_local}"
            raise SpecError(what, where=f"{where}, field {name!r}")
    if m and (observations.covariance is None or observations.covariance.size != m):
        raise DataError(f"{m} observations lack their errors", where=where)


def _refuse_member(field: Tensor, what: str, where: str) -> None:
    values = flat(field)
    bad = _first_bad(values)
    if bad >= 0:
        member, index = divmod(bad, values.shape[1])
        value = f"{what} of member {member} is {values[member, index]} at element {index}"
        raise DataError(value, where=where, hint="drop or replace the member")


def _departures(simulated: Tensor, observations: Observations, where: str) -> Seen:
    y, values = observations.y.detach().cpu().numpy().astype(np.float64), flat(simulated)
    anomalies, innovations = np.empty(values.shape[::-1]), np.empty(len(y))
    independent = isinstance(observations.covariance, DiagonalCovariance)
    variance = _variances(observations)
    scale = variance if independent else np.ones(len(y))
    if not _fine(variance):
        first = int(np.argmin(np.isfinite(variance) & (variance > 0.0)))
        what = f"error variance of observation [{first}] is {variance[first]}"
        raise DataError(what, where=where, hint="variances are positive")
    if not _depart(values, y, scale, anomalies, innovations):
        _blame(values, y, observations.coordinates, where)
    return Seen(anomalies, innovations, None if independent else observations.covariance)


def _variances(observations: Observations) -> Array:
    if observations.covariance is None:
        return np.ones(len(observations))
    return np.ascontiguousarray(observations.covariance.diagonal().detach().cpu().numpy(), dtype=np.float64)


def _blame(simulated: Array, y: Array, coordinates: Any, where: str) -> None:
    if not np.all(np.isfinite(y)):
        first = int(np.argmin(np.isfinite(y)))
        place = ", ".join(f"{name} {np.asarray(values)[first]}" for name, values in coordinates.items())
        what = f"observation [{first}] is {y[first]}" + (f" ({place})" if place else "")
    else:
        member, first = (int(i[0]) for i in np.nonzero(~np.isfinite(simulated)))
        what = f"simulation [{member}, {first}] is {simulated[member, first]}"
    raise DataError(what, where=where, hint="remove or mend it")


def flat(field: Tensor) -> Array:
    """Return ``(member, ...)`` as a float64 array ``(member, k)``."""
    array = np.ascontiguousarray(field.detach().cpu().numpy(), dtype=np.float64)
    return array.reshape(len(array), prod(array.shape[1:]))


@compiled
def _fine(variances: Array) -> bool:
    fine = True
    for k in range(len(variances)):
        fine = fine and variances[k] > 0.0 and np.isfinite(variances[k])
    return fine


@compiled
def any_of(values: Array) -> bool:
    """Return whether any element of a matrix is not 0."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            if values[i, j] != 0.0:
                return True
    return False


@compiled
def _first_bad(values: Array) -> int:
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            if not np.isfinite(values[i, j]):
                return int(i * values.shape[1] + j)
    return -1


@compiled
def _differ(values: Array) -> bool:
    for i in range(1, values.shape[0]):
        for j in range(values.shape[1]):
            if values[i, j] != values[0, j]:
                return True
    return False


@compiled
def _depart(simulated: Array, y: Array, variance: Array, anomalies: Array, innovations: Array) -> bool:
    """Fill in anomalies and innovations over the square root of `variance`; return whether all are finite."""
    n, fine = len(simulated), True
    for k in range(len(y)):
        mean = 0.0
        for i in range(n):
            mean += simulated[i, k]
        mean /= n
        scale = 1.0 / np.sqrt(variance[k])
        for i in range(n):
            anomalies[k, i] = (simulated[i, k] - mean) * scale
            fine = fine and np.isfinite(simulated[i, k])
        innovations[k] = (y[k] - mean) * scale
        fine = fine and np.isfinite(y[k])
    return fine
