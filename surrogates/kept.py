"""Samples kept in a file, so that a second network need not wait for the reference model again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import BadZipFile

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
    """Return the key that a file was kept under; a file that cannot be read has none, and is replaced."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return str(file["key"]) if "key" in file else ""
    except (OSError, ValueError, EOFError, BadZipFile):
        return ""


def _write(path: Path, key: str, sets: Mapping[str, Samples]) -> None:
    split = np.concatenate([np.full(len(part), name) for name, part in sets.items()])
    x, latitude, target = (
        np.concatenate(arrays) for arrays in zip(*map(_arrays, sets.values()), strict=True)
    )
    part = path.with_name(f".{path.name}.part.npz")
    try:
        np.savez(part, split=split, key=np.array(key), x=x, latitude=latitude, target=target)
        part.replace(path)
    except OSError as error:
        raise DataError(f"samples cannot be kept: {error.strerror}", where=str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def _arrays(samples: Samples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return samples.windows.x.numpy(), samples.windows.latitude.numpy(), samples.target.numpy()
