"""The files of a recorded session: per rank, a text of events and a file of numbers.

The format is that of docs/fortran-stub.md, which the replay engine of the Fortran library reads.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.hosting.slots import ROLES, WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.hosting.component import Declared
    from tradewind.hosting.failing import Told

WHATS = ("value", "tangent", "adjoint")
ROLE_WORDS = {number: word for word, number in ROLES.items()}
GOLDEN, FIRST, SECOND = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": " ", "\0": " "})


def bits(value: float) -> str:
    """Return the 16 hexadecimal digits of a double, which no locale and no rounding can change."""
    return struct.pack(">d", value).hex()


def digest(array: NDArray[Any], first: int, columns: int) -> int:
    """Return a sum over an array's elements that does not depend on the blocks that a field is put in.

    Every element is mixed with its place in the whole field by the finaliser of splitmix64 (Steele, Lea and
    Flood 2014), and the results are added modulo 2**64.

    Parameters
    ----------
    array
        Shape ``(*extra, cell)``, of 4 or 8 bytes an element.
    first
        Number of its first column, from 1.
    columns
        Columns of the whole field.
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    here = array.shape[-1] if array.ndim else 1
    k = np.arange(flat.size, dtype=np.int64)
    place = (k // max(here, 1)) * columns + (first - 1) + k % max(here, 1)
    x = (
        flat.view(np.dtype(f"<u{flat.itemsize}")).astype(np.uint64)
        + (place.astype(np.uint64) + np.uint64(1)) * GOLDEN
    )
    x = (x ^ (x >> np.uint64(30))) * FIRST
    x = (x ^ (x >> np.uint64(27))) * SECOND
    return int(np.add.reduce(x ^ (x >> np.uint64(31)), dtype=np.uint64))


def extents(shape: tuple[int, ...]) -> str:
    """Return extents as the file has them: ``-`` for a scalar, ``*`` for columns that the host settles."""
    return ",".join("*" if n < 0 else str(n) for n in shape) or "-"


def place(field: Declared) -> str:
    """Return ``role/name``: a name may be that of an import and of an export."""
    return f"{ROLE_WORDS[field[2]]}/{field[0]}"


class Journal:
    """Writes the two files of this rank.

    Parameters
    ----------
    folder
        Where to; made if need be. What an earlier recording has left of this rank is replaced.
    rank, size
        This rank, and how many there are.

    Raises
    ------
    OSError
        When it cannot be written.
    """

    def __init__(self, folder: Path, rank: int, size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._text = (folder / f"rank-{rank:05d}.txt").open("w", encoding="utf-8")
        self._numbers = (folder / f"rank-{rank:05d}.bin").open("wb")
        self._offset = 0
        self.line("tradewind recording 1", size, rank, sys.byteorder)

    def line(self, *tokens: object) -> None:
        """Write one event."""
        self._text.write("\t".join(str(token).translate(ESCAPES) for token in tokens) + "\n")

    def field(self, component: str, declared: Declared) -> None:
        """Write what is declared of a field."""
        name, units, role, kind, shape = declared
        self.line("field", component, name, units, ROLE_WORDS[role], WORDS[kind], extents(shape))

    def call(self, name: str, component: str, numbers: Sequence[float], told: Told) -> None:
        """Write a collective call that is over.

        Parameters
        ----------
        numbers
            Its two arguments, where the run stands after it (seconds), and what it has returned, or 0.
        told
            What the host is told of a failure; a rank that only repeats another's tells nothing.
        """
        code, part, field, message, _ = told
        self.line("call", name, component, *map(bits, numbers), max(code, 0), -1, part, field, message)
        self._text.flush()

    def value(self, component: str, what: int, declared: Declared, units: str, array: NDArray[Any]) -> None:
        """Keep what a get has returned: a whole field, shape ``(*extra, cell)``."""
        data = np.ascontiguousarray(array)
        columns = array.shape[-1] if array.ndim else 1
        self._numbers.write(data.tobytes())
        self.line(
            "value", component, WHATS[what], place(declared), units, WORDS[declared[3]],
            extents(array.shape[::-1]), self._offset, f"{digest(data, 1, columns):016x}",
        )  # fmt: skip
        self._offset += data.nbytes
        self._numbers.flush()

    def close(self) -> None:
        """Say that the recording is whole."""
        self.line("end")
        self._text.close()
        self._numbers.close()
