"""Which files a run reads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from pydantic import BaseModel

from tradewind.accounts import input_files


class Inner(BaseModel):
    deep: tuple[Path, ...] = ()


class Settings(BaseModel):
    file: Path | None = None
    others: dict[str, Inner] = {}


def assembly(tmp_path, options=None, surrogate=None, component=None, **config):
    section = SimpleNamespace(options=options, surrogate_options=Settings(file=tmp_path / "net"))
    member = SimpleNamespace(section=section, surrogate=surrogate, component=component)
    plain = {"exchanges": (), "observations": None, "control": None, "plugins": ()} | config
    found = SimpleNamespace(**plain, source=SimpleNamespace(folder=tmp_path))
    return SimpleNamespace(config=found, members={"a": member})


def touched(tmp_path, *names):
    for name in names:
        (tmp_path / name).touch()


def found(made):
    return [path.name for path in input_files(made)]


def test_are_named_by_settings_however_deep(tmp_path):
    touched(tmp_path, "one", "two", "three")
    inner = {"x": Inner(deep=(tmp_path / "two", tmp_path / "three"))}
    assert found(assembly(tmp_path, Settings(file=tmp_path / "one", others=inner))) == ["one", "two", "three"]


def test_of_a_surrogate_count_where_there_is_one(tmp_path):
    touched(tmp_path, "net")
    assert found(assembly(tmp_path)) == []
    assert found(assembly(tmp_path, surrogate=object())) == ["net"]


def test_of_exchanges_observations_and_control_count(tmp_path):
    touched(tmp_path, "one", "two", "three")
    parts = {"exchanges": (Settings(file=tmp_path / "one"),), "observations": Settings(file=tmp_path / "two"),
             "control": Settings(file=tmp_path / "three")}  # fmt: skip
    assert found(assembly(tmp_path, **parts)) == ["one", "two", "three"]


def test_plugins_that_are_files_count(tmp_path):
    touched(tmp_path, "mine.py")
    assert found(assembly(tmp_path, plugins=("mine.py", "package.module:object"))) == ["mine.py"]


def test_what_a_component_says_that_it_reads_counts(tmp_path):
    touched(tmp_path, "code.py")
    component = SimpleNamespace(inputs=lambda: iter([tmp_path / "code.py", tmp_path]))
    assert found(assembly(tmp_path, component=component)) == ["code.py"]


def test_folders_and_what_is_not_there_do_not(tmp_path):
    (tmp_path / "store.zarr").mkdir()
    options = Settings(file=tmp_path / "store.zarr", others={"x": Inner(deep=(tmp_path / "none",))})
    assert found(assembly(tmp_path, options)) == []
