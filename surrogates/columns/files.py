"""Files of column networks: tensors by safetensors, everything else as JSON in its header."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tradewind.errors import CheckpointError
from tradewind.surrogates.columns.header import FORMAT, ColumnHeader
from tradewind.surrogates.columns.network import DTYPES, ColumnNetwork, build_columns
from tradewind.surrogates.networks.base import parameter_count
from tradewind.surrogates.storage import (
    ENTRY,
    check_finite,
    check_keys,
    first_fault,
    read_entry,
    read_tensors,
    replace_file,
)


def describe_columns(network: ColumnNetwork) -> dict[str, Any]:
    """Return the entries of a `ColumnHeader` that follow from the network itself."""
    dtype = next(network.parameters()).dtype
    return {
        "network": network.name,
        "options": dict(network.options()),
        "kind": next(kind for kind, known in DTYPES.items() if known is dtype),
        "parameters": parameter_count(network),
        "inputs": network.inputs,
        "outputs": network.outputs,
        "code_version": version("tradewind"),
    }


def save_columns(path: Path | str, network: ColumnNetwork, header: ColumnHeader | None = None) -> None:
    """Write a network and its header, in one step.

    Parameters
    ----------
    header
        What is known of it; by default what follows from the network.

    Raises
    ------
    CheckpointError
        When the header does not describe this network, a weight is not finite, or the folder cannot be
        written.
    """
    from safetensors.torch import save

    path = Path(path)
    header = header or ColumnHeader(**describe_columns(network))
    _check_describes(network, header, path)
    tensors = {name: values.detach().contiguous() for name, values in network.state_dict().items()}
    check_finite(tensors, path)
    text = json.dumps(header.model_dump(mode="json"), allow_nan=False)
    replace_file(path, save(tensors, metadata={ENTRY: text}))


def read_columns_header(path: Path | str) -> ColumnHeader:
    """Return the header alone, without loading torch.

    Raises
    ------
    CheckpointError
        When the file is missing, damaged, of another kind or of another version.
    """
    path = Path(path)
    return parse_columns(read_entry(path), str(path))


def parse_columns(text: str, where: str) -> ColumnHeader:
    """Return the header that a JSON text holds.

    Raises
    ------
    CheckpointError
        When it is no such header.
    """
    try:
        values = json.loads(text)
        found = values.get("format") if isinstance(values, dict) else None
        if found != FORMAT:
            raise CheckpointError(
                f"has format {found!r}, column networks have {FORMAT}",
                where=where,
                hint="a window network is used by its own surrogate",
            )
        return ColumnHeader.model_validate(values)
    except ValidationError as error:
        raise CheckpointError(f"has a faulty header: {first_fault(error)}", where=where) from error
    except json.JSONDecodeError as error:
        raise CheckpointError(f"has a faulty header: {error}", where=where) from error


def load_columns(path: Path | str) -> tuple[ColumnNetwork, ColumnHeader]:
    """Return the network with its weights, in evaluation mode, and its header.

    Raises
    ------
    CheckpointError
        When the file cannot be read, names another kind of network, or its tensors do not fit.
    """
    path = Path(path)
    header = read_columns_header(path)
    try:
        fields = header.inputs, header.outputs
        network = build_columns(header.network, header.options, fields, header.kind)
    except CheckpointError as error:
        raise CheckpointError(error.what, where=str(path), hint=error.hint) from error
    tensors = read_tensors(path)
    check_keys(network, tensors, path)
    check_finite(tensors, path)
    network.load_state_dict(tensors)
    _check_describes(network, header, path)
    return network.eval().requires_grad_(False), header


def _check_describes(network: ColumnNetwork, header: ColumnHeader, path: Path) -> None:
    for name, own in describe_columns(network).items():
        if name != "code_version" and getattr(header, name) != own:
            raise CheckpointError(
                f"the header says {name} {getattr(header, name)!r}, the network has {own!r}", where=str(path)
            )
