"""Reading, checking and building everything that a run config asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tradewind.assembly.components import build_callers, build_members
from tradewind.assembly.estimation import build_control, build_observations, build_solver
from tradewind.assembly.estimation.agreeing import agree_on_observations
from tradewind.assembly.exchanges import build_exchanges
from tradewind.assembly.faults import Faults
from tradewind.assembly.outputs import check_outputs
from tradewind.assembly.parts import Assembly, Unfed
from tradewind.assembly.sequence import check_sequence
from tradewind.config import RunConfig
from tradewind.config.faults import config_error
from tradewind.config.loading import survey_config
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.ranks.parallel import agree, as_communicator

BUILDERS = (
    build_members,
    build_exchanges,
    check_sequence,
    build_callers,
    build_control,
    build_observations,
    build_solver,
    check_outputs,
)
"""In this order: each may look at what those before it have built, and bears with what they could not."""


def assemble(
    path: Path | str,
    overrides: Sequence[str] = (),
    comm: object | None = None,
    unfed: Unfed = Unfed.NOBODY,
) -> Assembly:
    """Read, check and build everything that a run config asks for; starts no model.

    Parameters
    ----------
    path
        The run config.
    overrides
        Settings that replace those of the file.
    comm
        mpi4py communicator, among whose ranks windows are dealt; None: serial.
    unfed
        Who feeds imports that no exchange does; nobody: that is a fault.

    Raises
    ------
    ConfigError
        With every fault, each with file and line.
    RankError
        When only another rank has found a fault, such as a file that it cannot see.
    DataError
        When ranks have read different observations.
    """
    config, manager, source, found = survey_config(path, overrides, comm)
    if config is None or manager is None:
        raise config_error(found, source)
    clock = Clock(config.run.start, config.run.stop, config.run.step)
    faults = Faults(source, found)
    windows = _windows(config, clock, faults)
    assembly = Assembly(config, manager, as_communicator(comm), clock, windows, unfed=unfed)
    with agree(assembly.comm, "assembling the run"):
        for build in BUILDERS:
            build(assembly, faults)
        faults.settle()
    agree_on_observations(assembly)
    return assembly


def _windows(config: RunConfig, clock: Clock, faults: Faults) -> tuple[Interval, ...]:
    with faults.at("run", "window"):
        return clock.windows(config.run.window or config.run.stop - config.run.start)
    return ()
