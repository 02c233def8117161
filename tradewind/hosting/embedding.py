"""What the C library asks of the interpreter that it has started: streams, and the host's own MPI."""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from tradewind.hosting.failing import CallError, Code

__all__ = ["company", "keep_apart", "local_rank", "settle"]

DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))
"""There where a machine has devices; without them torch need not be asked, which takes a second."""
HOST_FILES = ("nc_inq_libvers", "H5get_libversion")
"""Functions of the netCDF and HDF5 libraries that a host may be linked with."""
LOCAL_RANKS = (
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MPI_LOCALRANKID",
    "PMI_LOCAL_RANK",
    "PALS_LOCAL_RANKID",
    "SLURM_LOCALID",
)


def settle(drivers: tuple[Path, ...] = DRIVERS) -> None:
    """Prepare this process for sessions; doing so again changes nothing.

    What is printed is written line by line: a host ends without ending Python, and nothing may be lost. Ranks
    of one node have a device each, in turn, as the one that is meant where none is named.

    Parameters
    ----------
    drivers
        Files that tell whether there are devices.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    if any(driver.exists() for driver in drivers):
        _take_device(local_rank())
    keep_apart(any(hasattr(ctypes.CDLL(None), name) for name in HOST_FILES))


def keep_apart(host_has_files: bool) -> None:
    """Load netCDF4 with the libraries that it brings, where the host has its own netCDF or HDF5.

    Else its calls would go to those of the host, which are of another version, and it would crash.

    Parameters
    ----------
    host_has_files
        Whether the host is linked with such a library.
    """
    if not host_has_files:
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        importlib.import_module("netCDF4")
    finally:
        sys.setdlopenflags(flags)


def local_rank(environment: Mapping[str, str] | None = None) -> int:
    """Return the number of this rank on its node, as the launcher tells it; 0 where none does.

    Parameters
    ----------
    environment
        None: that of this process.
    """
    known = os.environ if environment is None else environment
    told = (known.get(name, "") for name in LOCAL_RANKS)
    return next((int(text) for text in told if text.isdigit()), 0)


def _take_device(rank: int) -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_device(rank % torch.cuda.device_count())


def company(handle: int, size: int, library: str) -> None:
    """Prove that mpi4py uses the MPI of the host; local, so that ranks can agree before they talk.

    Parameters
    ----------
    handle
        Fortran handle of the host's communicator.
    size
        Number of its ranks, as the host's MPI tells it.
    library
        How the host's MPI describes itself; empty where the C library knows none.

    Raises
    ------
    CallError
        When mpi4py is missing, brings another MPI, or does not know the communicator.
    """
    mpi = _mpi()
    if not mpi.Is_initialized():
        raise _two(mpi, library, "mpi4py's MPI has not been initialised, the host's has")
    if _first_line(mpi.Get_library_version()) != _first_line(library):
        raise _two(mpi, library, "two MPI libraries are in this process")
    if (seen := mpi.Comm.f2py(handle).Get_size()) != size:
        raise _two(mpi, library, f"the host's communicator has {size} ranks, mpi4py sees {seen}")


def _mpi() -> Any:
    try:
        import mpi4py

        # the host starts and ends MPI
        mpi4py.rc.initialize = mpi4py.rc.finalize = False
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        hint = "it has to be installed there, and to use the MPI of the host"
        raise CallError(Code.MPI, f"mpi4py cannot be used: {error}", hint=hint) from error
    return MPI


def _two(mpi: Any, library: str, what: str) -> CallError:
    mine, theirs = _first_line(mpi.Get_library_version()), _first_line(library)
    hint = f"the host runs {theirs!r}, mpi4py {mine!r}: build mpi4py with the host's MPI"
    return CallError(Code.MPI, what, hint=hint)


def _first_line(text: str) -> str:
    return " ".join(text.replace("\0", "").strip().splitlines()[:1])
