"""Answers of ESMF that are kept outside the project: weight files, applied fields and a table of misfits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tradewind.bench.checkout import reference
from tradewind.couplers.regrid.quality.measures import Misfit
from tradewind.couplers.regrid.quality.standard_fields import STANDARD_FIELDS
from tradewind.couplers.regrid.scheme import Method, Norm, PoleKind, Poles, Scheme
from tradewind.errors import DataError

WORDS = {
    "conserve_2nd": Method.CONSERVATIVE_2ND,
    "conserve": Method.CONSERVATIVE,
    "bilinear": Method.BILINEAR,
    "patch": Method.PATCH,
    "nearest_stod": Method.NEAREST_S2D,
}
"""Names of methods there, longer ones first."""
NUMBER = r"[\d.]+e[+-]\d+"


@dataclass(frozen=True)
class Row:
    """ESMF's figures of one case: number of rows, misfits by function, conservation."""

    rows: int
    misfits: dict[str, Misfit]
    conservation: float | None


@dataclass(frozen=True)
class Reference:
    """The folder of reference answers."""

    folder: Path

    @classmethod
    def found(cls) -> Reference | None:
        """Return the one that TRADEWIND_SHARED names, or that lies beside the checkout; None without any."""
        folder = reference()
        return None if folder is None or not (folder / "esmf_weights").is_dir() else cls(folder)

    @property
    def files(self) -> tuple[Path, ...]:
        """ESMF's weight files, in order."""
        return tuple(sorted((self.folder / "esmf_weights").glob("[a-z]_*.nc")))

    @property
    def applied(self) -> Path:
        """The file of fields that ESMPy's own apply returned."""
        return self.folder / "esmf_weights" / "esmpy_applied.nc"

    @cached_property
    def table(self) -> dict[str, Row]:
        """ESMF's published figures by case."""
        path = self.folder / "regrid_benchmark.md"
        try:
            text = path.read_text()
        except OSError as error:
            raise DataError(f"cannot be read: {error}", where=str(path)) from error
        return dict(_rows(text))


def _rows(text: str) -> Iterator[tuple[str, Row]]:
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if len(cells) == 7 and cells[1].isdigit():
            misfits = dict(zip(STANDARD_FIELDS, map(_misfit, cells[2:6]), strict=True))
            yield cells[0], Row(int(cells[1]), misfits, None if cells[6] == "-" else float(cells[6]))


def _misfit(cell: str) -> Misfit:
    return Misfit(*(float(number) for number in re.findall(NUMBER, cell)))


def scheme_of(case: str) -> Scheme:
    """Return the scheme that a case's name means, with the conventions of the reference data.

    ESMF's default norm is dstarea.
    """
    method = next(m for word, m in WORDS.items() if word in case)
    norm = Norm.FRACAREA if "fracarea" in case else Norm.DSTAREA
    return Scheme(method, norm, Poles(PoleKind.DEFAULT))
