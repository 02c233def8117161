"""One safetensors file with a JSON entry of ours in its header: how it is written, read and checked.

Nothing in such a file is ever executed. Reading the header alone loads neither torch nor the tensors.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradewind.errors import CheckpointError

if TYPE_CHECKING:
    import torch
    from pydantic import ValidationError
    from torch import nn

ENTRY = "tradewind"
LENGTH_BYTES = 8
LONGEST_HEADER = 16 * 2**20
RETRAIN = "train it again, or ask for another copy of the file"


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` beside `path`, then put it in its place in one step.

    Raises
    ------
    CheckpointError
        When the folder cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise CheckpointError(f"cannot be written: {error.strerror}", where=str(path)) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise CheckpointError(f"cannot be written: {error.strerror}", where=str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def read_entry(path: Path) -> str:
    """Return our entry of a file's header, a JSON text, without loading torch or reading the tensors.

    Raises
    ------
    CheckpointError
        When the file is missing, truncated or has no such entry.
    """
    table, end = _read_table(path)
    metadata = table.get("__metadata__")
    entry = metadata.get(ENTRY) if isinstance(metadata, dict) else None
    if not isinstance(entry, str):
        raise CheckpointError("is no checkpoint of tradewind", where=str(path), hint=f"no {ENTRY!r} header")
    _check_length(path, end + _tensor_bytes(path, table))
    return entry


def _read_table(path: Path) -> tuple[dict[str, Any], int]:
    """Return the JSON table a safetensors file begins with (8 bytes of length, then text), and its end."""
    try:
        with path.open("rb") as file:
            length = _table_length(file.read(LENGTH_BYTES), path)
            text = file.read(length)
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if len(text) < length:
        raise CheckpointError("is truncated within its header", where=str(path), hint=RETRAIN)
    try:
        table = json.loads(text)
    except ValueError as error:
        raise CheckpointError("is no safetensors file", where=str(path), hint=RETRAIN) from error
    if not isinstance(table, dict):
        raise CheckpointError("is no safetensors file", where=str(path), hint=RETRAIN)
    return table, LENGTH_BYTES + length


def _table_length(first: bytes, path: Path) -> int:
    if len(first) < LENGTH_BYTES:
        raise CheckpointError("is truncated within its header", where=str(path), hint=RETRAIN)
    (length,) = struct.unpack("<Q", first)
    if length > LONGEST_HEADER:
        raise CheckpointError("is no safetensors file", where=str(path), hint=RETRAIN)
    return int(length)


def _tensor_bytes(path: Path, table: Mapping[str, Any]) -> int:
    try:
        ends = [entry["data_offsets"][1] for name, entry in table.items() if name != "__metadata__"]
        return max(map(int, ends), default=0)
    except (TypeError, KeyError, IndexError, ValueError) as error:
        raise CheckpointError("is no safetensors file", where=str(path), hint=RETRAIN) from error


def _check_length(path: Path, expected: int) -> None:
    found = path.stat().st_size
    if found != expected:
        raise CheckpointError(
            f"is truncated or padded: {found} bytes, expected {expected}", where=str(path), hint=RETRAIN
        )


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name.

    Raises
    ------
    CheckpointError
        When they are damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"has damaged tensors: {error}", where=str(path), hint=RETRAIN) from error


def check_keys(network: nn.Module, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Compare names, types and shapes of tensors with those of a network.

    Raises
    ------
    CheckpointError
        When they differ.
    """
    wanted, found = _kinds(network.state_dict()), _kinds(tensors)
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        what = f"tensor {name!r} is {found.get(name, 'absent')}, expected {wanted.get(name, 'none')}"
        raise CheckpointError(what, where=str(path), hint="made for another network?")


def _kinds(tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
    return {name: f"{values.dtype} of shape {tuple(values.shape)}" for name, values in tensors.items()}


def check_finite(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Look for values that are not numbers.

    Raises
    ------
    CheckpointError
        When there are any.
    """
    for name, values in tensors.items():
        if not bool(values.isfinite().all()):
            raise CheckpointError(f"tensor {name!r} holds values that are not finite", where=str(path))


def first_fault(error: ValidationError) -> str:
    """Return where the first fault of a header lies, and what it is."""
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
