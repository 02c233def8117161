"""The emulator as a surrogate of the transport's linearization.

The Jacobian from a constant surface flux to the columns at the end of a window has one column per
emitting cell. Each is one network evaluation (Pan & Zhang): the fraction of the emitted mass that is found
in every column around the source, times what was emitted, over the air in that column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from tradewind.couplers.component import Interval
from tradewind.couplers.linearization import Count, WindowModel
from tradewind.couplers.operators import Distributed, LinearOperator
from tradewind.errors import CheckpointError, DomainError, SpecError
from tradewind.plugins.jacobian_emulator.inputs import InputWindows
from tradewind.plugins.jacobian_emulator.options import EmulatorOptions, OwnError
from tradewind.plugins.jacobian_emulator.samples import HALF
from tradewind.plugins.transport.model import Transport
from tradewind.plugins.transport.options import TransportOptions
from tradewind.plugins.transport.windows import Cell
from tradewind.surrogates.checkpoint import read_header
from tradewind.surrogates.datasets import Windows
from tradewind.surrogates.surrogate import WindowSurrogate, error_variance


def reference_settings(options: TransportOptions, length: timedelta) -> dict[str, Any]:
    """Return what a checkpoint must share with the model that it stands in for."""
    return {
        "spacing": options.spacing,
        "layers": list(options.layers),
        "scheme": options.scheme,
        "boundary_layer": options.boundary_layer.model_dump(),
        "window_seconds": length.total_seconds(),
    }


class JacobianEmulator:
    """Answers ``tradewind_linearize`` for the transport model.

    Parameters
    ----------
    options
        Names the checkpoint.
    component
        The transport model that it stands in for; its winds are the network's input.

    Raises
    ------
    CheckpointError
        When the checkpoint cannot be used, or was made for other settings of the model.
    """

    def __init__(self, options: EmulatorOptions, component: Transport) -> None:
        self.options, self.transport, self.count = options, component, Count()
        self.header = read_header(options.checkpoint)
        self.length = timedelta(seconds=self._settings["window_seconds"])
        self._check_settings()
        # one window is asked several times in a row: for its values, its Jacobian, its error
        self.fractions = lru_cache(maxsize=2)(self._fractions)
        self.valid = lru_cache(maxsize=2)(self._valid)

    @property
    def _settings(self) -> Mapping[str, Any]:
        settings = self.header.provenance.get("reference")
        if not isinstance(settings, Mapping) or "window_seconds" not in settings:
            raise CheckpointError(
                "does not say which model it was trained on", where=str(self.options.checkpoint)
            )
        return settings

    def _check_settings(self) -> None:
        wanted = reference_settings(self.transport.options, self.length)
        for name, value in wanted.items():
            if self._settings.get(name) != value:
                raise CheckpointError(
                    f"was trained for {name} {self._settings.get(name)}, the model runs with {value}",
                    where=str(self.options.checkpoint), hint="train it again with the model's settings",
                )  # fmt: skip

    @cached_property
    def network(self) -> WindowSurrogate:
        """The network with its domain and error model."""
        return WindowSurrogate.from_checkpoint(self.options.checkpoint)

    @cached_property
    def inputs(self) -> InputWindows:
        """Cuts the network's inputs from the model's flows."""
        return InputWindows(self.transport.flows, HALF, self.length)

    def verify(self, window: timedelta | None) -> None:
        """Refuse a run whose windows are not those of the training.

        Raises
        ------
        SpecError
            Windows of another length.
        """
        if window != self.length:
            raise SpecError(
                f"answers windows of {self.length}, the run has windows of {window}",
                where="jacobian-emulator", hint=f"set run.window to {self.length.total_seconds() / 3600:g}h",
            )  # fmt: skip

    @cached_property
    def interior(self) -> tuple[Cell, ...]:
        """Cells whose windows lie within the model's region."""
        rows, columns = (range(HALF, n - HALF) for n in self.transport.domain.shape)
        return tuple((r, c) for r in rows for c in columns)

    def tradewind_linearize(self, model: WindowModel, x: Any, window: Interval) -> EmulatedJacobian:
        """Return the Jacobian from the mean flux in `window` to the columns at its end.

        Raises
        ------
        SpecError
            When the window has another length than those of the training.
        """
        self.verify(window.stop - window.start)
        return EmulatedJacobian(self, model, window.stop)

    def windows(self, cells: Sequence[Cell], end: datetime) -> Windows:
        """Return the network's inputs around `cells`."""
        return Windows(self.inputs(cells, end), self.inputs.latitude(cells))

    def _fractions(self, cells: tuple[Cell, ...], end: datetime) -> Tensor:
        """Return the share of each cell's emission in each column at `end`, ``(source, lat, lon)``."""
        if not cells:
            return torch.zeros(0, *self.transport.domain.shape, dtype=torch.float64)
        begin = perf_counter()
        shares: Tensor = self.network(self.windows(cells, end)).double()
        self.count.add(len(cells), perf_counter() - begin)
        return self._pasted(shares, cells)

    def fraction_variance(self, cells: tuple[Cell, ...], end: datetime) -> Tensor:
        """Return the variance of the error of `fractions`, zero outside of each window."""
        within = self._pasted(torch.ones(len(cells), 1, 1, dtype=torch.float64), cells)
        return within * error_variance(self.fractions(cells, end), self.network.errors)

    def _pasted(self, maps: Tensor, cells: tuple[Cell, ...]) -> Tensor:
        """Return each source's map in its place on the whole domain, ``(source, lat, lon)``."""
        whole = torch.zeros(len(cells), *self.transport.domain.shape, dtype=torch.float64)
        for number, (row, column) in enumerate(cells):
            whole[number, row - HALF : row + HALF + 1, column - HALF : column + HALF + 1] = maps[number]
        return whole

    def _valid(self, end: datetime) -> Tensor:
        """Return where a window fits into the region and its weather is like that of the training."""
        fits = torch.zeros(self.transport.domain.shape, dtype=torch.bool)
        if self.interior:
            rows, columns = torch.tensor(self.interior).T
            fits[rows, columns] = self.network.valid(self.windows(self.interior, end))
        return fits.flatten()


class EmulatedJacobian(LinearOperator):
    """The transport's Jacobian over one window, made of the network's maps.

    Attributes
    ----------
    valid
        Where the emulator may be asked, bool, shape ``(cell,)``.
    """

    def __init__(self, emulator: JacobianEmulator, model: WindowModel, end: datetime) -> None:
        self.emulator, self.end = emulator, end
        self.domain = Distributed(model.layouts[model.given])
        self.range = Distributed(model.layouts[model.wanted])

    @property
    def valid(self) -> Tensor:
        """Cells that the emulator answers for."""
        return self.emulator.valid(self.end)

    def forward(self, x: Tensor) -> Tensor:
        """Return the columns, 1e-9, shape ``(..., cell)``, of a mean flux, kg m-2 s-1.

        Raises
        ------
        DomainError
            When a cell emits that the emulator cannot answer for.
        """
        self.check(x, self.domain)
        cells = x.reshape(-1, x.shape[-1]).ne(0.0).any(0)
        self._refuse(cells & ~self.valid)
        return x[..., cells] @ self.rows(cells)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the gradient with respect to the flux; zero where the emulator cannot answer."""
        self.check(y, self.range)
        out = y.new_zeros(*y.shape[:-1], self.domain.size)
        out[..., self.valid] = y @ self.rows(self.valid).T
        return out

    def variance(self, x: Tensor) -> Tensor | None:
        """Return the variance of the network's error in the columns of a flux; None where it is ignored.

        The sum over emitting cells of (standard deviation of the fraction times what was emitted)²: the
        errors of different sources are taken to be independent.

        Parameters
        ----------
        x
            Mean flux, kg m-2 s-1, shape ``(cell,)``.

        Returns
        -------
        Tensor or None
            1e-18, shape ``(cell,)``.

        Raises
        ------
        DomainError
            When a cell emits that the emulator cannot answer for.
        """
        if self.emulator.options.error is OwnError.IGNORED:
            return None
        cells = x.ne(0.0)
        self._refuse(cells & ~self.valid)
        where, emitted = self._sources(cells)
        spread = self.emulator.fraction_variance(where, self.end)
        factor = self.emulator.transport.column_factor(self.end)
        return (emitted * x[cells]).square() @ (spread * factor.square()).flatten(1)

    def rows(self, cells: Tensor) -> Tensor:
        """Return the columns that a unit flux in each of `cells` gives, shape ``(source, cell)``."""
        where, emitted = self._sources(cells)
        shares = self.emulator.fractions(where, self.end)
        return (shares * self.emulator.transport.column_factor(self.end)).flatten(1) * emitted[:, None]

    def _sources(self, cells: Tensor) -> tuple[tuple[Cell, ...], Tensor]:
        """Return rows and columns of `cells`, and what a unit flux emits in each, m2 s."""
        rows, columns = self._indices(cells)
        emitted = self.emulator.transport.domain.area[rows, 0] * self.emulator.length.total_seconds()
        return tuple(zip(rows, columns, strict=True)), emitted

    def _indices(self, cells: Tensor) -> tuple[list[int], list[int]]:
        where = cells.nonzero().flatten()
        width = self.emulator.transport.domain.shape[1]
        return (where // width).tolist(), (where % width).tolist()

    def _refuse(self, outside: Tensor) -> None:
        if bool(outside.any()):
            row, column = (part[0] for part in self._indices(outside))
            domain = self.emulator.transport.domain
            place = f"{float(domain.lat[row]):g} N {float(domain.lon[column]):g} E"
            raise DomainError(
                f"{int(outside.sum())} emitting cells lie outside the emulator's domain at {self.end}, "
                f"the first at {place}",
                where="jacobian-emulator", hint="run_as: guarded sends them to the reference model",
            )  # fmt: skip
