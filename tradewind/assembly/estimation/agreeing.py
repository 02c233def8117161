"""All ranks must have read the same observations: a file that one cannot see is not an orbit less."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from tradewind.errors import DataError

if TYPE_CHECKING:
    from tradewind.assembly.parts import Assembly


def agree_on_observations(assembly: Assembly) -> None:
    """Refuse to go on where ranks have read different observations; collective.

    Files that fail are left out, and may fail on one rank alone: a disk that it does not see.

    Raises
    ------
    DataError
        On all ranks.
    """
    if assembly.comm.size == 1 or assembly.observe is None:
        return
    digest = sha256()
    for seen in assembly.observe.windows(assembly.windows).values():
        digest.update(len(seen).to_bytes(8, "little") + seen.y.numpy().tobytes())
    if len(set(assembly.comm.allgather(digest.hexdigest()))) > 1:
        hint = "every rank must see all files; `on_failure: stop` names the one that a rank cannot read"
        raise DataError("ranks have read different observations", where="observations", hint=hint)
