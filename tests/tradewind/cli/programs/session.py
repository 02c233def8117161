"""A command that fails in the way its argument says; run under several ranks."""

import sys
import time

from tradewind.commands.launch import Mpi
from tradewind.commands.session import Ranks, Session
from tradewind.couplers.ranks.parallel import agree, as_communicator
from tradewind.errors import DataError

Ranks.patience = 1.0


def everywhere(session):
    raise DataError("truncated", where="winds.nc")


def agreed(session):
    with agree(as_communicator(session.comm), "reading"):
        if session.rank == 1:
            raise DataError("truncated", where="winds.nc")


def after_the_others_ended(session):
    if session.rank == 1:
        time.sleep(0.3)
        raise DataError("truncated", where="winds.nc")


def others_wait(session):
    if session.rank == 1:
        _ = 1 / 0
    session.comm.Barrier()


def well(session):
    session.write(f"rank {session.rank} of {session.comm.Get_size()}")
    session.out.print("table")


if __name__ == "__main__":
    with Session(Mpi.AUTO, debug="--debug" in sys.argv) as session:
        globals()[sys.argv[1]](session)
