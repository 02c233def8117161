"""How this process was started: alone, or as one rank of many; only then mpi4py is imported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tradewind.errors import TradewindError

WHERE = "MPI"
# srun sets the step's variables; those of the job alone (SLURM_NTASKS) are also there without any launcher
LAUNCHERS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ("PMIX_RANK", ""),
)
MAPS = Path("/proc/self/maps")


class Mpi(StrEnum):
    """Whether a command runs on several ranks."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True)
class Launch:
    """What a launcher's environment says of this process.

    Attributes
    ----------
    size
        Number of ranks; None where the launcher does not say.
    """

    rank: int = 0
    size: int | None = 1

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Launch:
        """Read the variables that Open MPI, MPICH and its kin, Slurm and PMIx set."""
        for rank, size in LAUNCHERS:
            if environment.get(rank, "").isdigit() and (not size or environment.get(size, "").isdigit()):
                return cls(int(environment[rank]), int(environment[size]) if size else None)
        return cls()

    @property
    def alone(self) -> bool:
        """Whether there is certainly no other rank."""
        return self.size == 1


def world(launch: Launch, mpi: Mpi) -> Any | None:
    """Return mpi4py's communicator of all ranks, or None for a serial run.

    Raises
    ------
    TradewindError
        When ranks were launched but mpi4py is missing, or belongs to another MPI than the launcher.
    """
    if mpi is Mpi.OFF or (mpi is Mpi.AUTO and launch.alone):
        return None
    comm = _import().COMM_WORLD
    if launch.size is not None and comm.Get_size() != launch.size:
        raise TradewindError(
            f"the launcher started {launch.size} ranks, but mpi4py sees {comm.Get_size()}",
            where=WHERE,
            hint="two MPI libraries are in play: use the mpiexec of the MPI that mpi4py was built with",
        )
    refuse_two_libraries(MAPS.read_text() if MAPS.exists() else "")
    return comm if mpi is Mpi.ON or comm.Get_size() > 1 else None


def _import() -> Any:
    try:
        from mpi4py import MPI
    # without its library, mpi4py raises RuntimeError
    except (ImportError, RuntimeError) as error:
        raise TradewindError(
            f"several ranks were launched, but mpi4py cannot be used: {error}",
            where=WHERE,
            hint='install the extra "tradewind[mpi]", or run with --mpi off',
        ) from error
    return MPI


def refuse_two_libraries(maps: str) -> None:
    """Look for more than one MPI library among the files mapped into this process.

    Parameters
    ----------
    maps
        Text of Linux' ``/proc/self/maps``.

    Raises
    ------
    TradewindError
        When there are two or more.
    """
    found = sorted(set(re.findall(r"(/\S*/libmpi(?:ch)?\.so\S*)", maps)))
    if len(found) > 1:
        raise TradewindError(
            f"two MPI libraries are loaded: {', '.join(found)}",
            where=WHERE,
            hint="build mpi4py and the other libraries with one MPI",
        )
