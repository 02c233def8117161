"""The background check: observations too far from what the members show are not assimilated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.assimilation.failing import mirrored
from tradewind.assimilation.recording import Rejected, mean_and_spread, sigmas
from tradewind.assimilation.sharing import Shares, observation_bounds
from tradewind.assimilation.transposing import Transposition
from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.observing import ObservationNetwork
from tradewind.couplers.ranks.parallel import Communicator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.assembly import Assembly
    from tradewind.config.sections.observing import RejectSection

    Flags: TypeAlias = NDArray[np.bool_]

REASON = "background check"
BLOCK = 1024


@dataclass(frozen=True)
class Screen:
    """Refuses observations with ``|y - mean(H x)| > k sqrt(sigma² + spread²)``.

    Attributes
    ----------
    limits
        By stream; one without a name where there is only one.
    """

    limits: Mapping[str, RejectSection | None]
    comm: Communicator

    @classmethod
    def of(cls, assembly: Assembly) -> Screen | None:
        """Return what the config asks for; None where it rejects nothing."""
        sections = assembly.config.observations
        if not any(section.reject for section in sections):
            return None
        several = isinstance(assembly.observe, ObservationNetwork)
        names = list(assembly.observe.streams) if isinstance(assembly.observe, ObservationNetwork) else [""]
        rejects = [section.reject for section in sections]
        return cls(dict(zip(names, rejects, strict=True)) if several else {"": rejects[0]}, assembly.comm)

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
        rejected = Rejected(seen, whole, np.where(bad, REASON, ""))
        return seen.take(used), shown[:, used], rejected

    def _far(self, seen: Observations, mine: slice, members: NDArray[np.float64]) -> Flags:
        """Return which of this rank's part of the observations are too far off."""
        mean, spread = (part[0] for part in mean_and_spread(members[None]))
        far = np.zeros(mean.shape, dtype=bool)
        off, sigma = np.abs(seen.y.numpy()[mine] - mean), sigmas(seen)[mine]
        for stream, limit in self.limits.items():
            if limit is not None:
                own = spread if limit.background_error is None else limit.background_error
                beyond = off > limit.departure * np.sqrt(sigma**2 + own**2)
                far |= beyond & self._of(stream, seen, mine)
        return far

    def _of(self, stream: str, seen: Observations, mine: slice) -> Flags | bool:
        names = seen.coordinates.get("stream")
        return True if not stream or names is None else np.asarray(names)[mine] == stream
