"""The three functions by which the C library enters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradewind.hosting.failing import CallError, Code, told

__all__ = ["NETWORKS", "nothing", "open", "told"]

if TYPE_CHECKING:
    from tradewind.couplers.ranks.parallel import Communicator
    from tradewind.hosting.network import NetworkSession
    from tradewind.hosting.recorder import RecordedSession
    from tradewind.hosting.session import Session

NETWORKS = frozenset({".safetensors", ".pt2"})
"""Endings of files that hold a network rather than a run config."""
RECORD = "TRADEWIND_RECORD"
"""Environment variable that names a folder for a recording; it comes before the config's."""


def open(config: str, comm: int | None) -> Session | NetworkSession | RecordedSession:
    """Open a run config, or a network's file.

    Parameters
    ----------
    config
        Path of the file.
    comm
        A Fortran handle of the host's communicator; None: this process alone.

    Raises
    ------
    CallError
        When the communicator cannot be used.
    TradewindError
        Whatever is wrong with the file.
    """
    session = _opened(config, communicator(comm))
    folder = os.environ.get(RECORD) or session.recording_folder
    if not folder:
        return session
    from tradewind.hosting.recorder import recorded

    return recorded(session, Path(folder))


def _opened(config: str, ranks: Communicator) -> Session | NetworkSession:
    if Path(config).suffix in NETWORKS:
        from tradewind.hosting.network import open_network

        return open_network(config, ranks)
    from tradewind.hosting.session import Session

    return Session(config, ranks)


def communicator(handle: int | None) -> Communicator:
    """Return the communicator of a Fortran handle; MPI is neither started nor ended.

    Raises
    ------
    CallError
        When mpi4py is missing, or uses another MPI than the host.
    """
    from tradewind.couplers.ranks.parallel import MpiCommunicator, Serial

    if handle is None:
        return Serial()
    mpi = _mpi()
    if not mpi.Is_initialized():
        what = "mpi4py does not see the host's MPI, or MPI has not been initialised"
        hint = "call MPI_Init first, and install an mpi4py that uses the MPI of the host"
        raise CallError(Code.MPI, what, hint=hint)
    try:
        comm = mpi.Comm.f2py(handle)
        return Serial() if comm.Get_size() == 1 else MpiCommunicator(comm)
    except mpi.Exception as error:
        raise CallError(Code.MPI, f"the communicator cannot be used: {error}") from error


def _mpi() -> Any:
    try:
        import mpi4py

        # the host starts and ends MPI
        mpi4py.rc.initialize = mpi4py.rc.finalize = False
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        hint = 'install the extra "tradewind[mpi]" with the MPI of the host'
        raise CallError(Code.MPI, f"mpi4py cannot be used: {error}", hint=hint) from error
    return MPI


def nothing() -> None:
    """Do nothing: what a call costs."""
