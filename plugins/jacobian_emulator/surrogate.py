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

from tradewind.couplers.assimilation.linearization import Count, WindowModel
from tradewind.couplers.coupling.component import Interval
from tradewind.errors import CheckpointError, DomainError, SpecError
from tradewind.plugins.jacobian_emulator.inputs import InputWindows
from tradewind.plugins.jacobian_emulator.jacobian import EmulatedJacobian
from tradewind.plugins.jacobian_emulator.kept import KeptMaps
from tradewind.plugins.jacobian_emulator.layers import LayeredJacobian, LayerShares
from tradewind.plugins.jacobian_emulator.options import EmulatorOptions, OwnError
from tradewind.plugins.jacobian_emulator.samples import HALF
from tradewind.plugins.transport.model import COLUMN, PROFILE, Transport
from tradewind.plugins.transport.options import TransportOptions
from tradewind.plugins.transport.windows import Cell
from tradewind.surrogates.checkpoint import read_header
from tradewind.surrogates.datasets import Windows
from tradewind.surrogates.networks.scenes import Scene, scene
from tradewind.surrogates.surrogate import WindowSurrogate, error_variance

VALID = 64
"""Windows for which it is kept where the network may be used."""
KEPT = 4
"""Windows whose weather is kept as the network sees it."""


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
        # a window is asked several times: for its values, its Jacobian, its error, and the fit afterwards
        self.maps = KeptMaps(self._maps)
        self.scene = lru_cache(maxsize=KEPT)(self._scene)
        self.valid = lru_cache(maxsize=VALID)(self._valid)

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

    def check_export(self, name: str) -> None:
        """Refuse an export that it knows nothing of.

        Raises
        ------
        DomainError
            For any but the column, and mole fractions by layer where the checkpoint knows how these share
            the mass of a column, and its own error is not asked for.
        """
        if name == COLUMN:
            return
        hint = f"observe {COLUMN}, or set run_as to guarded or reference"
        if name != PROFILE or self.layer_shares is None:
            raise DomainError(f"knows {COLUMN}, and nothing of {name}", where="jacobian-emulator", hint=hint)
        if self.options.error is not OwnError.IGNORED:
            what = f"does not know how far {name} is off"
            raise DomainError(what, where="jacobian-emulator", hint=f"set error to ignored, or {hint}")

    @cached_property
    def layer_shares(self) -> LayerShares | None:
        """How the mass of a column is shared among layers; None where the checkpoint does not say."""
        return LayerShares.known(self.header.provenance)

    def tradewind_linearize(self, model: WindowModel, x: Any, window: Interval) -> EmulatedJacobian:
        """Return the Jacobian from the mean flux in `window` to the columns, or layers, at its end.

        Raises
        ------
        SpecError
            When the window has another length than those of the training.
        DomainError
            When another export is wanted than it has learned.
        """
        self.check_export(model.wanted)
        self.verify(window.stop - window.start)
        if model.wanted == PROFILE and self.layer_shares is not None:
            return LayeredJacobian(self, model, window.stop, self.layer_shares)
        return EmulatedJacobian(self, model, window.stop)

    def windows(self, cells: Sequence[Cell], end: datetime) -> Windows:
        """Return the network's inputs around `cells`."""
        return Windows(self.inputs(cells, end), self.inputs.latitude(cells))

    def fractions(self, cells: tuple[Cell, ...], end: datetime) -> Tensor:
        """Return the share of each cell's emission in each column at `end`, ``(source, lat, lon)``."""
        return self._pasted(self.shares(cells, end), cells)

    def fraction_variance(self, cells: tuple[Cell, ...], end: datetime) -> Tensor:
        """Return the variance of the error of `fractions`, zero outside of each window."""
        return self._pasted(error_variance(self.shares(cells, end), self.network.errors), cells)

    def forget(self) -> None:
        """Forget all answers, so that they are made anew."""
        self.maps.clear()
        self.scene.cache_clear()
        self.valid.cache_clear()
        self.__dict__.pop("inputs", None)

    def shares(self, cells: tuple[Cell, ...], end: datetime) -> Tensor:
        """Return the network's maps, float64, shape ``(source, 41, 41)``."""
        return self.maps(cells, end).double()

    def _maps(self, cells: Sequence[Cell], end: datetime) -> Tensor:
        if not cells:
            return torch.zeros(0, 2 * HALF + 1, 2 * HALF + 1)
        begin = perf_counter()
        maps = self.network.recalibrated(self.scene(end).maps(cells))
        self.count.add(len(cells), perf_counter() - begin)
        return maps

    def _scene(self, end: datetime) -> Scene:
        return scene(self.network.network, self.inputs.channels(end).float(), self.transport.domain.lat)

    def _pasted(self, maps: Tensor, cells: tuple[Cell, ...]) -> Tensor:
        """Return each source's map in its place on the whole domain, ``(source, lat, lon)``."""
        whole = torch.zeros(len(cells), *self.transport.domain.shape, dtype=torch.float64)
        for number, (row, column) in enumerate(cells):
            whole[number, row - HALF : row + HALF + 1, column - HALF : column + HALF + 1] = maps[number]
        return whole

    def _valid(self, end: datetime) -> Tensor:
        """Return where a window fits into the region and its weather is like that of the training."""
        fits = torch.zeros(self.transport.domain.shape, dtype=torch.bool)
        if min(self.transport.domain.shape) > 2 * HALF:
            summaries = self.inputs.summaries(end)
            inside = self.network.domain.holds(summaries.flatten(0, 1))
            fits[HALF:-HALF, HALF:-HALF] = inside.reshape(summaries.shape[:2])
        return fits.flatten()
