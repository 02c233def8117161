"""The background check: observations too far from what the members show are not assimilated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.assembly.estimation.screening import limits_of
from tradewind.assimilation.failing import mirrored
from tradewind.assimilation.recording import Rejected, mean_and_spread
from tradewind.assimilation.sharing import Shares, observation_bounds
from tradewind.assimilation.transposing import Transposition
from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.departures import USED
from tradewind.couplers.assimilation.observing.screening import FAR, Limit, too_far
from tradewind.couplers.ranks.parallel import Communicator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.assembly import Assembly

    Flags: TypeAlias = NDArray[np.bool_]

BLOCK = 1024


@dataclass(frozen=True)
class Screen:
    """Refuses observations with ``|y - mean(H x)| > k sqrt(sigma² + spread²)``.

    Attributes
    ----------
    limits
        For all, or by stream.
    """

    limits: Limit | Mapping[str, Limit | None]
    comm: Communicator

    @classmethod
    def of(cls, assembly: Assembly) -> Screen | None:
        """Return what the config asks for; None where it rejects nothing."""
        limits = limits_of(assembly)
        return None if limits is None else cls(limits, assembly.comm)

    def screened(
        self, seen: Observations, shown: Tensor, shares: Shares, rows: tuple[int, ...]
    ) -> tuple[Observations, Tensor, Rejected | None]:
        """Return the observations that are near enough, what this rank's members show of them, and the rest.

        Every rank enters.

        Parameters
        ----------
        shown
            Of this rank's members, shape ``(mine, m)``.
        rows
            Members that are copies, to be mirrored.
        """
        if not len(seen):
            return seen, shown, None
        move = Transposition(self.comm, shares.counts)
        bounds = observation_bounds(len(seen), BLOCK, self.comm)
        mine = slice(bounds[self.comm.rank], bounds[self.comm.rank + 1])
        far = self._far(seen, mine, mirrored(move.to_cells(shown, bounds), rows).numpy())
        bad = np.concatenate(self.comm.allgather_array(far.astype(np.int64))).astype(bool)
        if not bad.any():
            return seen, shown, None
        whole = mirrored(move.everywhere(shown), rows)
        used = torch.from_numpy(~bad)
        rejected = Rejected(seen, whole, np.where(bad, FAR, USED))
        return seen.take(used), shown[:, used], rejected

    def _far(self, seen: Observations, mine: slice, members: NDArray[np.float64]) -> Flags:
        """Return which of this rank's part of the observations are too far off."""
        mean, spread = (part[0] for part in mean_and_spread(members[None]))
        return too_far(seen.take(torch.arange(mine.start, mine.stop)), mean, spread, self.limits)
