"""Discovery: entry points and files, read on rank 0 only."""

from __future__ import annotations

import hashlib
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tradewind.couplers.ranks.parallel import Serial
from tradewind.errors import PluginError
from tradewind.plugins.discovery import Installed, Source, installed, on_root, pick, read
from tradewind.plugins.manager import PluginManager
from tradewind.plugins.registry import Role

GALE = """
from __future__ import annotations
from dataclasses import dataclass
from tradewind.markers import hookimpl
from tradewind.plugins.options import Options

@dataclass(frozen=True)
class Gale:
    force: int

class GaleOptions(Options):
    force: int = 8

def gale(options: GaleOptions) -> Gale:
    return Gale(options.force)

@hookimpl
def tradewind_register_component(register):
    register("gale", options=f"{__name__}:GaleOptions", factory=f"{__name__}:gale", summary="Blows.")
"""


class Rank:
    """A rank other than 0 that receives what a given rank 0 has sent."""

    rank, size = 1, 2

    def __init__(self, received: Any) -> None:
        self.received = received

    def bcast(self, item: Any, root: int = 0) -> Any:
        assert item is None
        return self.received


@pytest.fixture
def gale(tmp_path: Path) -> Path:
    file = tmp_path / "gale.py"
    file.write_text(GALE)
    return file


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder on the import path with an installed plugin `storm` in it."""
    info = tmp_path / "storm-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: storm\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[tradewind.plugins]\nstorm = storm_plugin\n")
    (tmp_path / "storm_plugin.py").write_text(GALE.replace("gale", "storm"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "storm_plugin", raising=False)
    return tmp_path


def test_an_installed_plugin_is_found_with_its_version(site: Path) -> None:
    assert Installed("storm", "storm_plugin", "storm", "2.0") in installed(Serial())


def test_an_installed_plugin_is_loaded_only_when_named(site: Path) -> None:
    PluginManager.load()
    assert "storm_plugin" not in sys.modules
    manager = PluginManager.load(["storm"])
    assert manager.descriptor(Role.COMPONENT, "storm").plugin == "storm"
    assert manager.provenance()[-1].version == "2.0"


def test_an_installed_plugin_that_cannot_be_imported_is_named(site: Path) -> None:
    (site / "storm_plugin.py").write_text("import no_such_dependency\n")
    with pytest.raises(PluginError, match="plugin 'storm': 'storm_plugin' cannot be imported"):
        PluginManager.load(["storm"])


def test_metadata_is_left_alone_when_no_name_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        pytest.fail("metadata was read")

    monkeypatch.setattr(metadata, "entry_points", refuse)
    PluginManager.load(["builtin"])


def test_a_missing_plugin_gets_the_nearest_name() -> None:
    with pytest.raises(PluginError, match=r"no plugin 'strom' is installed \(did you mean 'storm'\?"):
        pick("strom", [Installed("storm", "storm_plugin"), Installed("builtin", "x")])


def test_a_name_brought_by_two_distributions_is_refused() -> None:
    both = [Installed("storm", "a", "one"), Installed("storm", "b", "two")]
    with pytest.raises(PluginError, match="several distributions: one, two"):
        pick("storm", both)


def test_a_file_becomes_a_plugin(gale: Path) -> None:
    manager = PluginManager.load(files=[gale])
    descriptor = manager.descriptor(Role.COMPONENT, "gale")
    assert descriptor.build(descriptor.options_model()(force=9)).force == 9


def test_a_file_is_recorded_with_its_hash(gale: Path) -> None:
    recorded = PluginManager.load(files=[gale]).provenance()[-1]
    assert recorded.plugin == "gale.py"
    assert recorded.file == str(gale)
    assert recorded.sha256 == hashlib.sha256(gale.read_bytes()).hexdigest()


def test_a_file_listed_twice_is_loaded_once(gale: Path) -> None:
    assert len(PluginManager.load(files=[gale, gale]).provenance()) == 2


def test_two_runs_may_load_the_same_file(gale: Path) -> None:
    for _ in range(2):
        assert PluginManager.load(files=[gale]).available(Role.COMPONENT)


def test_a_changed_file_is_another_module(gale: Path) -> None:
    (before,) = read([gale], Serial())
    gale.write_text(GALE.replace("force: int = 8", "force: int = 10"))
    (after,) = read([gale], Serial())
    assert before.module_name != after.module_name
    assert after.load().GaleOptions().force == 10
    assert before.load().GaleOptions().force == 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import no_such_module\n", "ModuleNotFoundError"),
        ("def (:\n", "SyntaxError"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("raise SystemExit(0)\n", "SystemExit"),
        ("\0", "SyntaxError|ValueError"),
    ],
)
def test_a_broken_file_is_named_and_forgotten(tmp_path: Path, text: str, expected: str) -> None:
    source = Source(tmp_path / "broken.py", text.encode())
    with pytest.raises(PluginError, match=expected) as caught:
        source.load()
    assert "broken.py" in str(caught.value)
    assert source.module_name not in sys.modules


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"absent\.py: the plugin file cannot be read: No such file"):
        read([tmp_path / "absent.py"], Serial())


def test_other_ranks_do_no_work() -> None:
    def refuse() -> None:
        pytest.fail("worked on rank 1")

    assert on_root(Rank("from rank 0"), refuse) == "from rank 0"


def test_other_ranks_raise_the_error_of_rank_0() -> None:
    with pytest.raises(PluginError, match="gone"):
        on_root(Rank(PluginError("gone")), lambda: None)


def test_other_ranks_execute_what_rank_0_has_read(tmp_path: Path) -> None:
    sent = (Source(tmp_path / "nowhere.py", GALE.encode()),)
    (source,) = read([tmp_path / "nowhere.py"], Rank(sent))
    assert source.load().GaleOptions().force == 8


PROGRAM = """
import sys
from importlib import metadata
from pathlib import Path
from mpi4py import MPI

rank = MPI.COMM_WORLD.Get_rank()
asked, opened = [], []
entry_points, read_bytes = metadata.entry_points, Path.read_bytes
metadata.entry_points = lambda **k: asked.append(k['group']) or entry_points(**k)
Path.read_bytes = lambda self: opened.append(self) or read_bytes(self)

from tradewind.config import open_config
from tradewind.errors import TradewindError
from tradewind.plugins.manager import PluginManager

folder = Path(sys.argv[1])
manager = PluginManager.load(["storm"], [folder / "gale.py"], MPI.COMM_WORLD)
names = sorted(p.plugin for p in manager.provenance())
lines = [f"rank {rank}: asked {asked.count('tradewind.plugins')}, opened {len(opened)}, {names}"]
for names, files in ((["strom"], []), ([], [folder / "absent.py"]), ([f"only_on_{rank}:plugin"], [])):
    try:
        PluginManager.load(names, files, MPI.COMM_WORLD)
    except TradewindError as error:
        lines.append(f"rank {rank}: {type(error).__name__}")
try:
    open_config(folder / "absent.yaml", (), MPI.COMM_WORLD)
except TradewindError as error:
    lines.append(f"rank {rank}: {error.what}")
for line in sum(MPI.COMM_WORLD.allgather(lines), []) if rank == 0 else MPI.COMM_WORLD.allgather(lines) and []:
    print(line)
"""


@pytest.mark.mpi
def test_only_rank_0_touches_the_file_system(
    site: Path, gale: Path, mpiexec: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(site))
    (site / "only_on_0.py").write_text(GALE.replace("gale", "plugin") + "\nplugin = __import__(__name__)\n")
    program = site / "program.py"
    program.write_text(PROGRAM)
    lines = mpiexec(2, program, site).stdout.splitlines()
    loaded = "['builtin', 'gale.py', 'storm']"
    assert lines == [
        f"rank 0: asked 1, opened 1, {loaded}",
        "rank 0: PluginError",
        "rank 0: PluginError",
        "rank 0: RankError",
        "rank 0: the run config cannot be read: No such file or directory",
        f"rank 1: asked 0, opened 0, {loaded}",
        "rank 1: PluginError",
        "rank 1: PluginError",
        "rank 1: PluginError",
        "rank 1: the run config cannot be read: No such file or directory",
    ]
