"""Samples that a window network learns from and is scored on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from tradewind.errors import DataError
from tradewind.surrogates.networks.base import WINDOW, check_inputs

EASTWARD = (0, 2, 4, 6, 8, 10)
NORTHWARD = (1, 3, 5, 7, 9, 11)
MASS_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Windows:
    """The weather of windows: what a window network is asked.

    Attributes
    ----------
    x
        Winds (m s-1) and surface pressure (Pa), shape ``(sample, 13, 41, 41)``; see `WindowNetwork`.
    latitude
        Latitude of the centres (degrees north), shape ``(sample,)``.

    Raises
    ------
    SpecError
        When the shapes are not those.
    """

    x: torch.Tensor
    latitude: torch.Tensor

    def __post_init__(self) -> None:
        check_inputs(self.x, self.latitude)

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def select(self, which: torch.Tensor) -> Windows:
        """Return the windows of the given indices or mask."""
        return Windows(self.x[which], self.latitude[which])


@dataclass(frozen=True)
class Samples:
    """Windows with the answer of the reference model.

    Attributes
    ----------
    windows
        The weather.
    target
        Fraction of the centre's emission found in each column at the end, shape ``(sample, 41, 41)``.

    Raises
    ------
    DataError
        When a value is not finite, a fraction is negative or a plume holds more mass than was emitted.
    """

    windows: Windows
    target: torch.Tensor

    def __post_init__(self) -> None:
        expected = (len(self.windows), WINDOW, WINDOW)
        if tuple(self.target.shape) != expected:
            raise DataError(f"targets of shape {tuple(self.target.shape)}, expected {expected}")
        for name, values in self._arrays().items():
            if not bool(torch.isfinite(values).all()):
                raise DataError(f"{_first_bad(values)} is not finite", where=name)
        if bool((self.target < 0).any()):
            raise DataError("fractions are negative", where="target")
        if len(self) and float(self.target.sum(dim=(1, 2)).max()) > 1 + MASS_TOLERANCE:
            raise DataError("a plume holds more mass than was emitted", where="target")

    def __len__(self) -> int:
        return len(self.windows)

    def _arrays(self) -> Mapping[str, torch.Tensor]:
        return {"x": self.windows.x, "latitude": self.windows.latitude, "target": self.target}

    def select(self, which: torch.Tensor) -> Samples:
        """Return the samples of the given indices or mask."""
        return Samples(self.windows.select(which), self.target[which])

    def digest(self) -> str:
        """Return a SHA-256 of all values, for the provenance of a checkpoint."""
        digest = hashlib.sha256()
        for values in self._arrays().values():
            digest.update(str(tuple(values.shape)).encode())
            digest.update(values.contiguous().numpy().tobytes())
        return digest.hexdigest()


def _first_bad(values: torch.Tensor) -> str:
    sample = int((~torch.isfinite(values)).nonzero()[0][0])
    return f"a value of sample {sample}"


def mirrored(samples: Samples, which: torch.Tensor) -> Samples:
    """Return the samples with those of the mask `which` mirrored in longitude.

    Columns are reversed and eastward winds change sign: an exact symmetry of transport on a
    latitude-longitude grid.

    Parameters
    ----------
    which
        Mask of shape ``(sample,)``.
    """
    x = torch.where(_of_maps(which, 4), _turned(samples.windows.x, EASTWARD, -1), samples.windows.x)
    target = torch.where(_of_maps(which, 3), samples.target.flip(-1), samples.target)
    return Samples(Windows(x, samples.windows.latitude), target)


def across_the_equator(samples: Samples, which: torch.Tensor) -> Samples:
    """Return the samples with those of the mask `which` moved to the other hemisphere.

    Rows are reversed, northward winds and the latitude change sign: an exact symmetry too, because
    transport by given winds knows the latitude by its cosine only.

    Parameters
    ----------
    which
        Mask of shape ``(sample,)``.
    """
    x = torch.where(_of_maps(which, 4), _turned(samples.windows.x, NORTHWARD, -2), samples.windows.x)
    latitude = torch.where(which, -samples.windows.latitude, samples.windows.latitude)
    target = torch.where(_of_maps(which, 3), samples.target.flip(-2), samples.target)
    return Samples(Windows(x, latitude), target)


def _of_maps(which: torch.Tensor, dimensions: int) -> torch.Tensor:
    return which.view(-1, *(1,) * (dimensions - 1))


def _turned(x: torch.Tensor, winds: Sequence[int], axis: int) -> torch.Tensor:
    sign = torch.ones(x.shape[1], 1, 1)
    sign[list(winds)] = -1.0
    return x.flip(axis) * sign


def read_samples(path: Path) -> Mapping[str, Samples]:
    """Read a training set: an ``.npz`` with ``x``, ``latitude``, ``target`` and ``split``.

    Parameters
    ----------
    path
        The file; `split` names the part that each sample belongs to, such as ``train``.

    Returns
    -------
    Mapping
        The samples of each part.

    Raises
    ------
    DataError
        When the file is missing, damaged, lacks an array or holds values that cannot be used.
    """
    arrays = _read_arrays(path)
    samples = Samples(
        Windows(torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["latitude"])),
        torch.from_numpy(arrays["target"]),
    )
    split = arrays["split"].astype(str)
    if split.shape != (len(samples),):
        raise DataError(f"{split.size} entries of split for {len(samples)} samples", where=str(path))
    return {str(part): samples.select(torch.from_numpy(split == part)) for part in np.unique(split)}


def _read_arrays(path: Path) -> Mapping[str, np.ndarray]:
    try:
        with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("x", "latitude", "target", "split")}
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"cannot be read as a training set: {error}", where=str(path)) from error
    floats = {name: arrays[name].astype(np.float32) for name in ("x", "latitude", "target")}
    return {**floats, "split": arrays["split"]}
