"""Samples kept in a file, so that a second network need not wait for the reference model again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tradewind.errors import DataError
from tradewind.surrogates.datasets import Samples, read_samples


def kept_samples(
    path: Path | None, key: str, make: Callable[[], Mapping[str, Samples]]
) -> Mapping[str, Samples]:
    """Return the samples that `path` keeps under `key`, or make and keep them.

    Parameters
    ----------
    path
        An ``.npz`` file; None keeps nothing.
    key
        Hash of everything that the samples depend on; a file made for another key is replaced.

    Raises
    ------
    DataError
        When the file cannot be written.
    """
    if path is None:
        return make()
    if _key_of(path) == key:
        return read_samples(path)
    sets = make()
    _write(path, key, sets)
    return sets


def _key_of(path: Path) -> str:
    if not path.is_file():
        return ""
    try:
        with np.load(path, allow_pickle=False) as file:
            return str(file["key"]) if "key" in file else ""
    except (OSError, ValueError):
        return ""


def _write(path: Path, key: str, sets: Mapping[str, Samples]) -> None:
    arrays = {
        name: np.concatenate([_arrays(part)[name] for part in sets.values()])
        for name in ("x", "latitude", "target")
    }
    split = np.concatenate([np.full(len(part), name) for name, part in sets.items()])
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
            np.savez(file, split=split, key=np.array(key), **arrays)
        os.replace(file.name, path)
    except OSError as error:
        raise DataError(f"samples cannot be kept: {error}", where=str(path)) from error


def _arrays(samples: Samples) -> Mapping[str, np.ndarray]:
    return {
        "x": samples.windows.x.numpy(),
        "latitude": samples.windows.latitude.numpy(),
        "target": samples.target.numpy(),
    }
