"""The docs cannot rot: their blocks run, and every key, option, hook, error and public name is documented."""

from __future__ import annotations

import inspect
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import docblocks
import doctables
import pytest
from preloaded import Preloaded
from typer.main import get_command

import tradewind
from tradewind import errors
from tradewind.plugins import hooks

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
RUNNING = [page for page in PAGES if any(block.runs for block in docblocks.blocks(page))]
DATA = ("*.yaml", "*.nc", "permian.safetensors", "operator.safetensors", "footprints.safetensors")
MADE_BY_RUNS = {"posterior.nc", "posterior.html"}
SECTIONS = {
    "Sections": None,
    "`run`": "RunSection",
    "`restart`": "RestartSection",
    "`components`": "ComponentSection",
    "`policies`": "PolicySection",
    "`exchanges`": "ExchangeSection",
    "`initial`": "InitialSection",
    "`fraction`": "FractionSection",
    "`levels`": "LevelsSection",
    "`interpolate`": "InterpolateSection",
    "`layers`": "LayersSection",
    "`sum`": "SumSection",
    "`regrid`": "RegridSection",
    "`extrapolate`": "ExtrapolateSection",
    "`inverse_distance`": "InverseDistanceSection",
    "`observations`": "ObservationsSection",
    "`thin`": "ThinSection",
    "`superobs`": "SuperobsSection",
    "`error`": "ErrorSection",
    "`error.correlation`": "ErrorCorrelationSection",
    "`reject`": "RejectSection",
    "`control`": "ControlSection",
    "`clusters`": "ClustersSection",
    "`correlation`": "CorrelationSection",
    "`solve`": "SolveSection",
    "`ensemble`": "EnsembleSection",
    "`output`": "OutputSection",
    "`host`": "HostSection",
}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def rows(text: str) -> dict[str, list[str]]:
    """Return the tables in a text: cells of each row by the first, without its backticks."""
    found = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if line[:3] == "| `"
    ]
    return {cells[0].strip("| `"): cells[1:] for cells in found}


def sections(page: Path) -> dict[str, str]:
    """Return the text below each heading of a page, up to the next heading."""
    parts = re.split(r"^#+ (.*)$", page.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="session")
def readme() -> str:
    return (ROOT / "README.md").read_text()


# ---------------------------------------------------------------------- blocks
@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return a folder that looks like the root of a checkout, to be written into."""
    (tmp_path / "examples").mkdir()
    for pattern in DATA:
        for file in (ROOT / "examples").glob(pattern):
            if file.name not in MADE_BY_RUNS:
                shutil.copy(file, tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def preloaded() -> Iterator[Preloaded]:
    """Return a process in which commands run without loading everything anew."""
    with Preloaded() as process:
        yield process


@pytest.mark.parametrize("page", RUNNING, ids=name_of)
def test_blocks_run(page, folder, preloaded):
    beside = Path(sys.executable).with_name("mpiexec")
    runner = docblocks.Runner(folder, str(beside) if beside.exists() else "mpiexec", preloaded)
    before = set(sys.modules)
    try:
        for block in docblocks.blocks(page):
            runner.run(block)
    finally:
        for module in set(sys.modules) - before:
            if getattr(sys.modules[module], "__file__", None) in {str(f) for f in folder.glob("*.py")}:
                del sys.modules[module]


def test_few_blocks_are_left_out():
    left_out = [b for page in PAGES for b in docblocks.blocks(page) if "no-run" in b.marks]
    assert len(left_out) <= 4
    assert all(len(b.marks["no-run"]) > 10 for b in left_out)


def test_every_block_says_its_language():
    assert not [(name_of(p), b.line) for p in PAGES for b in docblocks.blocks(p) if not b.language]


def test_a_page_that_shows_something_else_fails(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```console\n$ python -c 'print(1.00, 2)'\n1.01 3\n```\n```python\nassert 1 == 2\n```\n")
    runner = docblocks.Runner(tmp_path, "mpiexec")
    for block in docblocks.blocks(page):
        with pytest.raises(AssertionError):
            runner.run(block)


def test_a_command_that_should_fail_and_does_not_is_a_fault(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- exit: 2 -->\n```console\n$ python -c 'pass'\n```\n")
    with pytest.raises(AssertionError, match="python -c"):
        docblocks.Runner(tmp_path, "mpiexec").run(next(docblocks.blocks(page)))


@pytest.mark.parametrize(
    ("shown", "printed", "equal"),
    [
        ("│ total │ 3.36 │", "| total   3.37 |", True),  # within the tolerance, rules and spacing aside
        ("total 3.36", "total 3.56", False),
        ("in 3.1 s", "in 12 min", True),  # times do not count
        ("took 2.1 × 10⁻⁴ s", "took 0.3 s", True),
        ("total 3.36", "sum 3.36", False),
        ("bias \u22120.29", "bias 0.29", False),
        ("2\u2009392 columns", "2392 columns", True),
        ("24 elements", "24 elements more", False),
        ("24 elements", "25 elements", False),  # whole numbers have no last decimal
        ("run.yaml:…: units", "run.yaml:17: units", True),
        ("run.yaml:…: units", "other.yaml:17: units", False),
    ],
)
def test_lines_are_compared_loosely(shown, printed, equal):
    assert docblocks.same(shown, printed) is equal


def test_lines_must_come_in_the_order_shown():
    assert docblocks.unmatched(["a", "b"], ["a", "x", "b"]) is None
    assert docblocks.unmatched(["b", "a"], ["a", "x", "b"]) == "a"


# ---------------------------------------------------------------------- README
def test_the_result_is_seen_at_once(readme):
    top = "\n".join(readme.splitlines()[:25])
    assert "examples/permian.yaml" in top
    assert re.search(r"total +│ +[\d.]+ ± [\d.]+", top)


def test_continuous_integration_runs_the_command_of_the_readme(readme):
    (command,) = [line for line in readme.splitlines() if line.startswith("python3") and "pytest" in line]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_a_surrogate_is_thirty_lines_of_code_and_its_conformance_test_five():
    files = {b.marks["file"]: b for b in docblocks.blocks(ROOT / "README.md") if "file" in b.marks}
    code = {name: [line for line in b.text.splitlines() if line.strip()] for name, b in files.items()}
    assert len(code["no_wind.py"]) <= 30
    assert len(code["test_no_wind.py"]) <= 5


# ---------------------------------------------------------------------- links
def links(page: Path) -> Iterator[str]:
    return (m[1] for m in re.finditer(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in m[1])


def anchors(page: Path) -> set[str]:
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in sections(page)}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=name_of)
def test_links_lead_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists() or target.parent == doctables.BENCHMARKS, link
        assert not anchor or anchor in anchors(target), link


def test_the_index_names_every_page():
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in links(DOCS / "index.md")}
    assert {page.resolve() for page in DOCS.rglob("*.md")} - {DOCS / "index.md"} <= linked


# ---------------------------------------------------------------------- run config
@pytest.fixture(scope="session")
def schema() -> dict:
    from tradewind.config import json_schema
    from tradewind.plugins.manager import PluginManager

    return json_schema(PluginManager.load())


def keys(model: dict) -> dict[str, object]:
    """Return keys and defaults of a model, those of models within it behind dots."""
    found: dict[str, object] = {}
    needed = model.get("required", ())
    for key, about in model.get("properties", {}).items():
        found[key] = "required" if key in needed else about.get("default")
        inner = model.get("$defs", {}).get(about.get("$ref", "").rpartition("/")[2], {})
        found |= {f"{key}.{k}": v for k, v in keys(inner).items()}
    return found


def shown(default: object) -> str:
    """Return a default as the page writes it."""
    if default == "required":
        return "required"
    if default is None:
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


@pytest.mark.parametrize(("heading", "model"), SECTIONS.items())
def test_every_key_of_a_section_is_documented_with_its_default(heading, model, schema):
    described = rows(sections(DOCS / "run-config.md")[heading])
    defined = schema if model is None else schema["$defs"][model]
    expected = keys({**defined, "$defs": {}})
    assert described.keys() == expected.keys()
    for key, default in expected.items():
        wanted = "none" if isinstance(default, dict) else shown(default)
        assert described[key][0] == wanted, key


def test_every_option_of_the_built_in_plugins_is_documented_with_its_default(schema):
    page = sections(DOCS / "run-config.md")
    models = {k: v for k, v in schema["$defs"].items() if "." in k}
    for key, model in models.items():
        role, _, name = key.partition(".")
        expected = keys(model)
        if not expected:
            assert f"`{name}`" in (DOCS / "run-config.md").read_text()
            continue
        described = rows(page[f"{role.replace('_', ' ')} `{name}`"])
        assert described.keys() == expected.keys(), key
        for option, default in expected.items():
            wanted = "see below" if isinstance(default, dict) else shown(default)
            assert described[option][0] == wanted, (key, option)


def test_the_config_shown_is_the_example():
    from tradewind.config.source import parse_yaml

    (block,) = [b for b in docblocks.blocks(DOCS / "run-config.md") if b.marks.get("file") == "example.yaml"]
    example = parse_yaml((ROOT / "examples" / "permian.yaml").read_text())
    assert parse_yaml(block.text.replace("examples/", "")) == example


# ---------------------------------------------------------------------- command line
def test_every_command_and_option_is_documented():
    from tradewind.cli import app

    page, group = sections(DOCS / "command-line.md"), get_command(app)
    described = {heading: set(rows(text)) for heading, text in page.items()}
    for name, command in group.commands.items():
        options = {p.opts[0] for p in command.params if p.opts[0].startswith("--")} - {"--help"}
        assert described[f"tradewind {name}"] == options, name
    assert {p.opts[0] for p in group.params} <= described["The command line"]
    headings = {h.removeprefix("tradewind ") for h in page if h.startswith("tradewind ")}
    assert headings == set(group.commands)


# ---------------------------------------------------------------------- hooks, errors, names
def test_every_hook_is_documented_with_its_arguments():
    specs = {name: f for name, f in vars(hooks).items() if name.startswith("tradewind_")}
    described = rows(sections(DOCS / "plugins.md")["Hooks"])
    expected = {f"{name}({', '.join(inspect.signature(f).parameters)})" for name, f in specs.items()}
    assert described.keys() == expected


def test_every_way_to_stand_in_is_documented():
    from tradewind.plugins.registry import StandsIn

    text = (DOCS / "plugins.md").read_text()
    assert all(f"`{way}`" in text for way in StandsIn)


def test_every_error_is_documented_with_its_builtin_kind():
    kinds = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type)
        and issubclass(kind, errors.TradewindError)
        and kind is not errors.TradewindError
    }
    described = rows((DOCS / "errors.md").read_text())
    assert described.keys() == kinds.keys()
    for name, cells in described.items():
        assert cells[0].strip("`") in {base.__name__ for base in kinds[name].__bases__}, name


def test_every_public_name_is_documented():
    described = rows(sections(DOCS / "joints.md")["Public names"])
    assert list(described) == sorted(tradewind.__all__)


def test_every_conformance_class_is_documented():
    from tradewind import testing

    described = rows(sections(DOCS / "plugins.md")["Conformance"])
    assert described.keys() == {name for name in testing.__all__ if name.endswith("Conformance")}


# ---------------------------------------------------------------------- figures
@pytest.mark.parametrize("path", doctables.PAGES, ids=name_of)
def test_the_tables_are_those_of_the_figures(path):
    page = path.read_text()
    hint = "run python docs/doctables.py --update"
    assert page == doctables.rendered(page, doctables.figures_of(path)), hint


def test_every_table_stands_on_a_page():
    shown = {m[2] for path in doctables.PAGES for m in doctables.SECTION.finditer(path.read_text())}
    assert shown == set(doctables.TABLES)


def test_a_figure_that_changes_changes_the_page():
    page = doctables.PAGE.read_text()
    assert "1 234" not in page
    changed = doctables.rendered(page, {**doctables.figures(), "posterior_total_reference": 1.234})
    assert "| posterior, `run_as: reference` | 1.234 |" in changed


def test_the_version_is_in_the_changes():
    assert f"## {tradewind.__version__}" in (ROOT / "CHANGELOG.md").read_text()
