"""Wrong calls of a Fortran host, and the code that each must be told.

The calls are in ``fortran_stubs/misuse``: a case is one call of a program there, against a run config that is
written here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

RUN = """\
plugins: [pond.py]
run: {start: 2000-01-01, stop: 2000-01-02, step: 1h}
components:
  model:
    plugin: host
    options:
      grid: {lat: [10, 20], lon: [0, 10]}
      exports: {inflow: {units: kg}}
  pond: {plugin: pond}
exchanges:
  - {from: model.inflow, to: pond.inflow}
host: {on_error: return}
"""
HOSTS = """\
run: {start: 2000-01-01, stop: 2000-01-02, step: 1h}
components:
  model: {plugin: host, options: {exports: {inflow: {units: kg}}}}
  pond: {plugin: host, options: {exports: {level: {units: kg2}}}}
host: {on_error: return}
"""


class Company(Enum):
    """With whom a case is run."""

    ALONE = 0
    MPI = 1
    TWO = 2


@dataclass(frozen=True)
class Case:
    """A wrong call.

    Attributes
    ----------
    call
        Name of the case in the program, and of the config where that is another: ``call@config``.
    says
        What the host does wrong, for the table.
    code
        Name of the code that it must be told; ``ok`` where the call is mended, or harmless.
    company
        With whom.
    environment
        Name of the surroundings that are wrong, see `misuse_places`; empty where they are sound.
    rank
        First rank that fails.
    ends
        Whether the config asks that MPI ends the program.
    """

    call: str
    says: str
    code: str
    company: Company = Company.ALONE
    environment: str = ""
    rank: int = field(default=0, kw_only=True)
    ends: bool = field(default=False, kw_only=True)

    @property
    def name(self) -> str:
        """Key of the figures, unique."""
        return "_".join(part for part in (self.call.replace("@", "_"), self.environment) if part)


def _with(options: str) -> str:
    return RUN.replace("{plugin: pond}", f"{{plugin: pond, options: {{{options}}}}}")


PHASES = ("factory", "describe", "initialize", "step", "linearize", "finalize")
CONFIGS = {
    "run": RUN,
    "hosts": HOSTS,
    "abort": RUN.replace("on_error: return", "on_error: abort"),
    "cut": RUN[:100],
    "corrupt": "{[: ]\n",
    "empty": "",
    "unknown_key": RUN.replace("step:", "stepp:"),
    "unknown_plugin": RUN.replace("{plugin: pond}", "{plugin: pnod}"),
    "broken": RUN.replace("pond.py", "broken.py"),
    "leaving": RUN.replace("pond.py", "leaving.py"),
    **{f"{phase}_raises": _with(f"fails: {phase}") for phase in PHASES},
    "step_exits": _with("fails: step, how: exit"),
    "describe_exits": _with("fails: describe, how: exit"),
    "step_interrupts": _with("fails: step, how: interrupt"),
    "step_memory": _with("fails: step, how: memory"),
    "step_thread": _with("fails: step, how: thread"),
    "one_step": _with("fails: step, rank: 1"),
    "one_describe": _with("fails: describe, rank: 1"),
    "one_finalize": _with("fails: finalize, rank: 1"),
}
"""Run configs, written to ``NAME.yaml``."""
PLUGINS = {"broken": "raise ZeroDivisionError('broken')\n", "leaving": "import sys\n\nsys.exit(3)\n"}
"""Plugin files that cannot be run."""

ARRAYS = (
    Case("short", "an array that is too short", "shape"),
    Case("long", "an array that is too long", "shape"),
    Case("empty", "an array without columns", "shape"),
    Case("scalar_for_field", "a scalar for a field", "shape"),
    Case("field_for_scalar", "a field for a scalar", "shape"),
    Case("one_too_many_dimensions", "two members where there is one", "shape"),
    Case("block_beyond_end", "a block of columns beyond the last", "shape"),
    Case("block_from_zero", "a block that begins before the first column", "shape"),
    Case("block_of_scalar", "a block of a scalar", "shape"),
    Case("bind_block", "a block bound", "shape"),
    Case("nothing_there", "an array without memory", "shape"),
    Case("real32", "single precision for a double", "kind"),
    Case("int32", "integers for a real field", "kind"),
    Case("get_real32", "a double got into single precision", "kind"),
    Case("character", "characters", "kind"),
    Case("complex", "complex numbers", "kind"),
    Case("logical", "logicals", "kind"),
    Case("derived_type", "integer parts of a derived type", "kind"),
    Case("units_other", "units of another dimension", "units"),
    Case("units_unconverted", "other units, without convert", "units"),
    Case("units_unknown", "units of old, with convert", "units"),
    Case("units_unconvertible", "units that cannot become those of the field, with convert", "units"),
    Case("nan", "NaN in an array that is put", "data"),
    Case("infinity", "infinity in an array that is put", "data"),
    Case("nan_in_bound", "NaN in an array that is bound, at the run", "data"),
)
NAMES = (
    Case("field_misspelled", "a misspelled field", "field"),
    Case("get_misspelled", "a misspelled field that is got", "field"),
    Case("bind_misspelled", "a misspelled field that is bound", "field"),
    Case("field_empty", "no name of a field", "field"),
    Case("field_long", "a name of 400 letters", "field"),
    Case("component_misspelled", "a misspelled component", "field"),
    Case("put_export", "an export that is put", "field"),
    Case("get_short", "a parameter that is got before it is put", "field"),
)
ORDER = (
    Case("run_before_put", "run before anything is put", "field"),
    Case("run_after_some_blocks", "run before all blocks of columns are put", "field"),
    Case("get_before_run", "get before the run", "field"),
    Case("tangent_before_run", "tangent before a run", "order"),
    Case("adjoint_before_run", "adjoint before a run", "order"),
    Case("dot_test_before_run", "dot_test before a run", "order"),
    Case("get_tangent_before_tangent", "get_tangent before tangent", "order"),
    Case("session_adjoint_unrecorded", "adjoint of a session that has not recorded", "order"),
    Case("grid_too_late", "set_grid after describe", "order"),
    Case("register_a_model", "a step registered for a component with a model of its own", "unsupported"),
    Case("analyse_without_filter", "analyse without a filter in the config", "unsupported"),
    Case("solve_without_solver", "solve without a solver in the config", "unsupported"),
    Case("time_step_of_nothing", "a step of no length", "data"),
    Case("time_step_backwards", "a step back in time", "data"),
    Case("time_step_nan", "a step from NaN", "data"),
    Case("time_backwards", "advance back in time", "config"),
    Case("time_beyond_end", "advance beyond the stop of the run", "config"),
    Case("time_half_a_step", "advance by half a step", "config"),
    Case("time_nan", "advance to NaN", "data"),
    Case("time_no_date", "advance to what is no date", "config"),
    Case("closed", "put after finalize", "closed"),
    Case("closed_copy", "a copy of a session that is finalized", "closed"),
    Case("never_opened", "a session that was never opened", "closed"),
    Case("never_found", "a component that was never found", "closed"),
    Case("finalized_twice", "finalize twice", "ok"),
    Case("engine_unknown", "an engine that does not exist", "unsupported"),
    Case("alone_without_status", "a wrong put without a status, the config says return", "shape"),
)
GRIDS = (
    Case("grid_twice_the_same@hosts", "set_grid with a cell twice", "grid"),
    Case("grid_from_zero@hosts", "set_grid with numbers from 0", "grid"),
    Case("grid_number_missing@hosts", "set_grid with a number left out", "grid"),
    Case("grid_latitude@hosts", "set_grid with a latitude of 95", "grid"),
    Case("grid_nan@hosts", "set_grid with a longitude that is NaN", "grid"),
    Case("grid_lengths@hosts", "set_grid with arrays of different lengths", "grid"),
    Case("host_fails", "a step of the host that returns 7", "model"),
    Case("host_puts_nothing", "a step of the host that puts nothing", "field"),
    Case("host_runs_itself", "a step of the host that runs itself", "model"),
)
FILES = (
    Case("whole@missing", "no run config", "config"),
    Case("whole@cut", "half a run config", "config"),
    Case("whole@corrupt", "a run config that is no YAML", "config"),
    Case("whole@empty", "an empty run config", "config"),
    Case("whole@binary", "a run config of random bytes", "config"),
    Case("whole@unknown_key", "an unknown key", "config"),
    Case("whole@unknown_plugin", "an unknown plugin", "config"),
    Case("whole@missing.safetensors", "a missing network", "checkpoint"),
    Case("whole@damaged.safetensors", "a damaged network", "checkpoint"),
    Case("restore_missing", "restore from a file that is missing", "checkpoint"),
    Case("restore_damaged", "restore from a damaged file", "checkpoint"),
    Case("restore_of_another", "restore from a file of something else", "checkpoint"),
    Case("restore_folder", "restore from a folder", "checkpoint"),
    Case("restore_no_path", "restore from nowhere", "file"),
    Case("checkpoint_no_folder", "a checkpoint into a folder that is missing", "file"),
    Case("report_no_folder", "a report into a folder that is missing", "file"),
    Case("report_disk_full", "a report onto a device", "file"),
    Case("checkpoint_disk_full", "a checkpoint on a full disk", "file", environment="full"),
    Case("report_full", "a report on a full disk", "file", environment="full"),
)
RAISING = (
    Case("whole@broken", "a plugin that raises when it is imported", "config"),
    Case("whole@leaving", "a plugin that exits when it is imported", "config"),
    Case("whole@factory_raises", "a plugin that raises when it is made", "model"),
    Case("whole@describe_raises", "a plugin that raises in describe", "model"),
    Case("whole@initialize_raises", "a plugin that raises in initialize", "model"),
    Case("whole@step_raises", "a plugin that raises in step", "model"),
    Case("whole@linearize_raises", "a plugin that raises in its derivative", "model"),
    Case("whole@finalize_raises", "a plugin that raises in finalize", "model"),
    Case("whole@describe_exits", "sys.exit in describe", "model"),
    Case("whole@step_exits", "sys.exit in a step", "model"),
    Case("whole@step_interrupts", "KeyboardInterrupt in a step", "model"),
    Case("whole@step_memory", "no memory in a step", "memory"),
    Case("whole@step_thread", "an error in a thread that the step has started and forgotten", "ok"),
)
PLACES = (
    Case("whole", "a python that is not there", "python", environment="no_python"),
    Case("whole", "another program for python", "python", environment="no_program"),
    Case("whole", "a libpython that is not there", "python", environment="no_libpython"),
    Case("whole", "another library for libpython", "python", environment="other_library"),
    Case("whole", "a python without tradewind", "python", environment="bare_python"),
    Case("whole", "a PYTHONHOME of another Python", "ok", environment="no_home"),
    Case("whole", "a numpy that cannot be imported", "python", environment="numpy"),
    Case("whole", "a numpy that exits", "python", environment="numpy_exits"),
    Case("whole", "a torch that cannot be imported", "python", environment="torch"),
    Case("whole", "a tradewind that cannot be imported", "python", environment="tradewind"),
)
COMPANIES = (
    Case("comm_before_mpi", "a communicator before MPI_Init", "mpi"),
    Case("comm_null", "MPI_COMM_NULL", "mpi", Company.MPI),
    Case("comm_freed", "a communicator that was freed", "mpi", Company.MPI),
    Case("comm_garbage", "a number that is no communicator", "mpi", Company.MPI),
    Case("comm_real", "a real number for a communicator", "mpi", Company.MPI),
    Case("alone_short", "a short array on rank 1 only", "shape", Company.TWO, rank=1),
    Case("alone_nan", "NaN on rank 1 only", "data", Company.TWO, rank=1),
    Case("whole@one_describe", "describe raises on rank 1 only", "model", Company.TWO, rank=1),
    Case("whole@one_step", "a step raises on rank 1 only", "model", Company.TWO, rank=1),
    Case("whole@one_finalize", "finalize raises on rank 1 only", "model", Company.TWO, rank=1),
    Case(
        "alone_without_status@abort", "a wrong put without a status, the config says abort", "shape",
        Company.TWO, rank=1, ends=True,
    ),
)  # fmt: skip
CASES = (*ARRAYS, *NAMES, *ORDER, *GRIDS, *FILES, *RAISING, *PLACES, *COMPANIES)
