"""``tradewind freeze``: a network's file becomes a package of machine code that runs without Python.

torch.export writes the network down for any number of columns, and AOTInductor compiles that. No pickle is
written or read. What the engine must know stands in the package's metadata.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tradewind.errors import CheckpointError
from tradewind.surrogates.columns.files import load_columns
from tradewind.surrogates.columns.header import ColumnField, ColumnHeader
from tradewind.surrogates.columns.network import DTYPES, ColumnNetwork
from tradewind.surrogates.freezing.checking import Agreement, compared
from tradewind.surrogates.freezing.graph import FrozenColumns
from tradewind.surrogates.storage import replace_file

ENTRY, FIELDS, DOMAIN = "tradewind", "tradewind.fields", "tradewind.domain"
EXAMPLE_COLUMNS = 256
OPTIONS: Mapping[str, Any] = {
    # a product and the sum after it are one instruction, rounded once
    "cpp.enable_floating_point_contract_flag": "fast",
}


@dataclass(frozen=True)
class Frozen:
    """What became of freezing.

    Attributes
    ----------
    path
        The package.
    header
        What it says about itself.
    agreement
        How near it is to the network.
    """

    path: Path
    header: ColumnHeader
    agreement: Agreement

    def figures(self) -> dict[str, Any]:
        """Return what was made, and how near it is to the network, relative to the largest answers."""
        agreement = self.agreement
        return {
            "package": self.path,
            "parameters": self.header.parameters,
            "kind": str(self.header.kind),
            "apart": agreement.apart,
            "network_error": agreement.network,
            "package_error": agreement.package,
        }


def freeze(source: Path | str, target: Path | str) -> Frozen:
    """Compile the network in `source` and write the package `target`, once it has been found to agree.

    Raises
    ------
    CheckpointError
        When the network cannot be read, compiled or written, or the package does not agree with it.
    """
    target = Path(target)
    network, header = load_columns(source)
    with tempfile.TemporaryDirectory(prefix="tradewind-freeze-") as folder:
        package = Path(folder) / "network.pt2"
        compiled(network, header, package)
        agreement = compared(network, header, package)
        replace_file(target, package.read_bytes())
    return Frozen(target, header, agreement)


def compiled(network: ColumnNetwork, header: ColumnHeader, path: Path) -> None:
    """Compile `network` into the package `path`.

    Raises
    ------
    CheckpointError
        When there is no compiler, or it fails.
    """
    import warnings

    from torch._inductor import aoti_compile_and_package
    from torch._inductor.exc import CppCompileError, InvalidCxxCompiler

    example = tuple(field_like(f, EXAMPLE_COLUMNS, DTYPES[header.kind]) for f in network.inputs)
    columns = torch.export.Dim.DYNAMIC
    shapes = (tuple({x.ndim - 1: columns} for x in example),)
    with torch.no_grad():
        options = {**OPTIONS, "aot_inductor.metadata": metadata(header)}
        program = torch.export.export(FrozenColumns(network), example, dynamic_shapes=shapes)
        try:
            # torch warns of its own ways
            with warnings.catch_warnings(action="ignore"):
                aoti_compile_and_package(program, package_path=str(path), inductor_configs=options)
        except (InvalidCxxCompiler, CppCompileError) as error:
            raise CheckpointError(
                f"the compiler failed: {error}", where="freeze", hint="install g++ 11 or newer, or set CXX"
            ) from error


def field_like(field: ColumnField, columns: int, dtype: torch.dtype) -> Tensor:
    """Return zeros of a field's shape, ``(column,)`` or ``(entry, column)``."""
    return torch.zeros(columns if field.size is None else (field.size, columns), dtype=dtype)


def metadata(header: ColumnHeader) -> dict[str, str]:
    """Return what the package says of itself: the header as JSON, and what the engine needs of it as lines.

    ``tradewind.fields`` has one line for each field, inputs first, in order:
    ``import|export name units real32|real64 size``, tabs between, size 0 where there is no extra dimension.
    ``tradewind.domain`` is empty, or the largest distance, then lines of ``lower upper centre`` for each
    feature, then the rows of the whitening matrix, all with 17 digits.
    """
    fields = [*_lines("import", header.inputs, header), *_lines("export", header.outputs, header)]
    return {ENTRY: header.model_dump_json(), FIELDS: "\n".join(fields), DOMAIN: _domain_lines(header)}


def _lines(role: str, fields: Sequence[ColumnField], header: ColumnHeader) -> list[str]:
    return ["\t".join((role, f.name, f.units, header.kind, str(f.size or 0))) for f in fields]


def _domain_lines(header: ColumnHeader) -> str:
    domain = header.domain
    if domain is None:
        return ""
    box = zip(domain.lower, domain.upper, domain.centre, strict=True)
    rows = [(domain.distance,), *box, *domain.whitening]
    return "\n".join(" ".join(f"{value:.17g}" for value in row) for row in rows)
