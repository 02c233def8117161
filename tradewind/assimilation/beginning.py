"""Members as they begin: from a file, or drawn from the prior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.assembly.estimation.members import MembersFile, inner_shape
from tradewind.assembly.estimation.targets import ElementTarget, StateTarget, Target, parts_of
from tradewind.assimilation.sharing import Shares
from tradewind.assimilation.waves import Wave, with_state
from tradewind.config.sections.solving import EachWindow, EnsembleSection
from tradewind.coupled.model.looking import fields_of
from tradewind.couplers.assimilation import Control
from tradewind.couplers.assimilation.control import perturbations
from tradewind.couplers.ranks.parallel import Communicator, agree, ordered_sum
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from tradewind.coupled.run import CoupledRun
    from tradewind.couplers.coupling.component import Interval


@dataclass(frozen=True)
class Beginning:
    """Makes the waves of a rank.

    Attributes
    ----------
    seed
        Of the draws.
    first
        The first window.
    """

    section: EnsembleSection
    control: Control
    targets: tuple[Target, ...]
    comm: Communicator
    seed: int
    first: Interval

    def waves(self, shares: Shares, run_of: Callable[[int], CoupledRun]) -> list[Wave]:
        """Return this rank's waves at the start of the run; collective.

        Raises
        ------
        DataError
            When the file of members cannot be used.
        """
        mine = shares.waves[self.comm.rank]
        begin = self._x(mine)
        with agree(self.comm, "beginning the members"):
            return [self._wave(ids, x, run_of) for ids, x in zip(mine, begin, strict=True)]

    def _x(self, mine: tuple[tuple[int, ...], ...]) -> list[Tensor]:
        """Return x of every wave's members, shape ``(k, n)``; collective."""
        prior = self.control.prior
        if self.section.file is not None:
            return [prior.expand(len(ids), -1).clone() for ids in mine]
        drawn = [perturbations(self.control, ids, self.seed) for ids in mine]
        if not self.section.centre:
            return [prior + part for part in drawn]
        rows = {
            i: row for ids, part in zip(mine, drawn, strict=True) for i, row in zip(ids, part, strict=True)
        }
        mean = ordered_sum(self.comm, rows) / self.section.members
        return [prior + (part - mean) for part in drawn]

    def _wave(self, ids: tuple[int, ...], x: Tensor, run_of: Callable[[int], CoupledRun]) -> Wave:
        carried = self.section.begin is EachWindow.CARRIED
        moment = run_of(len(ids)).start() if carried else None
        wave = Wave(ids, moment, x)
        drawn = carried and self.section.file is None
        fields = fields_of(self.control.at(self.first), x) if drawn else {}
        wave.x = x[:, self._elements()]
        for target in self.targets:
            if isinstance(target, StateTarget):
                self._set_state(wave, target, fields)
            elif self.section.file is not None:
                wave.x[:, torch.from_numpy(target.at)] = self._read(target, ids)
        return wave

    def _elements(self) -> Tensor:
        """Return the positions in x of what is analysed as elements: states are not kept twice."""
        states = {target.port for target in self.targets if isinstance(target, StateTarget)}
        parts = parts_of(self.control)
        kept = [torch.full((part.prior.shape[0],), part.target not in states) for part in parts]
        return torch.cat(kept).nonzero()[:, 0]

    def _set_state(self, wave: Wave, target: StateTarget, fields: Mapping[str, Tensor]) -> None:
        value = fields[target.port] if target.port in fields else self._read(target, wave.ids)
        if wave.moment is not None:
            shape = _state(target, wave).shape
            wave.moment = with_state(wave.moment, target.port, value.reshape(shape).contiguous())

    def _read(self, target: Target, ids: tuple[int, ...]) -> Tensor:
        file = self.section.file
        if file is None:
            return torch.zeros(0, dtype=torch.float64)
        return torch.from_numpy(MembersFile(file, self.section.members).read(target, ids))


def analysed_fields(targets: tuple[Target, ...], waves: list[Wave]) -> dict[str, Tensor]:
    """Return what is analysed of this rank's members, by name, shape ``(mine, *extra, cell)``.

    What belongs to no place has all its numbers on the last axis.
    """
    return {target.name: _joined([_field(target, wave) for wave in waves], target) for target in targets}


def take_back(targets: tuple[Target, ...], waves: list[Wave], fields: Mapping[str, Tensor]) -> None:
    """Give analysed fields to the members of this rank's waves."""
    first = 0
    for wave in waves:
        last = first + len(wave.ids)
        for target in targets:
            value = fields[target.name]
            _give(target, wave, value if last - first == len(value) else value[first:last])
        first = last


def _field(target: Target, wave: Wave) -> Tensor:
    if isinstance(target, ElementTarget):
        return wave.x if len(target.at) == wave.x.shape[1] else wave.x[:, torch.from_numpy(target.at)]
    value = target.change.inward(_state(target, wave))
    return value if target.layout is not None else value.reshape(len(value), -1)


def _state(target: StateTarget, wave: Wave) -> Tensor:
    if wave.moment is None:
        raise SpecError("the members stand nowhere", where=target.port)
    return wave.moment.states[target.component].fields[target.port.partition(".")[2]]


def _give(target: Target, wave: Wave, value: Tensor) -> None:
    if isinstance(target, ElementTarget):
        if len(target.at) == wave.x.shape[1]:
            wave.x = value
        else:
            wave.x = wave.x.index_copy(1, torch.from_numpy(target.at), value)
    elif wave.moment is not None:
        found = target.change.outward_field(value)
        found = found if target.layout is not None else found.reshape_as(_state(target, wave))
        wave.moment = with_state(wave.moment, target.port, found.contiguous())


def _joined(parts: list[Tensor], target: Target) -> Tensor:
    if not parts:
        return torch.zeros(0, *inner_shape(target), dtype=torch.float64)
    return parts[0] if len(parts) == 1 else torch.cat(parts)
