"""What the ranks' windows have given, brought together in the order of the windows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tradewind.simulation.record import Record

if TYPE_CHECKING:
    from tradewind.assembly import Assembly
    from tradewind.coupled.run import CoupledRun
    from tradewind.couplers.ranks.parallel import Communicator


def gathered(assembly: Assembly, run: CoupledRun, mine: Sequence[Record]) -> list[Record]:
    """Return the records of all windows, in their order, on every rank; collective.

    Parameters
    ----------
    mine
        Those of this rank's windows; ranks own windows that follow each other.
    """
    comm = assembly.comm
    # numbers travel as arrays, the rest is small
    small = [(record.ledger, record.times) for record in mine]
    records = [Record(ledger, times) for ledger, times in chain(*comm.allgather(small))]
    seen = _split(comm, [record.simulated for record in mine], ())
    for record, simulated in zip(records, seen, strict=True):
        record.simulated, record.finished = simulated, True
    for port in (str(field) for field in assembly.config.output.fields):
        inner = run.ports.output(port).inner
        parts = [torch.stack(r.fields[port]) if r.times else torch.zeros(0, *inner) for r in mine]
        for record, whole in zip(records, _split(comm, parts, inner), strict=True):
            record.fields[port] = list(whole.unbind())
    return records


def _split(comm: Communicator, parts: Sequence[Tensor], inner: tuple[int, ...]) -> list[Tensor]:
    """Return every rank's tensors of shape ``(k, *inner)``, each with a k of its own; collective."""
    lengths = np.concatenate(comm.allgather_array(np.array([len(p) for p in parts], dtype=np.int64)))
    own = torch.cat([torch.zeros(0, *inner, dtype=torch.float64), *(p.double() for p in parts)])
    whole = torch.from_numpy(np.concatenate(comm.allgather_array(own.numpy())))
    return list(torch.split(whole, lengths.tolist()))
