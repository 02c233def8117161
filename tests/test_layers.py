"""The layers, and what no module may do: read from the source, so that nothing escapes by being unused."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("couplers", "surrogates", "plugins", "tradewind", "fortran_stubs")
LEAVES = {"tradewind.errors", "tradewind.markers"}
MAY_IMPORT = {
    "couplers": {"couplers"},
    "surrogates": {"surrogates", "couplers"},
    "plugins": {"plugins", "surrogates", "couplers"},
}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
SELF = {"self", "cls"}
UNPICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def files() -> list[Path]:
    """Return every module of the project, each once (the links inside tradewind/ are skipped)."""
    return sorted(p for folder in FOLDERS for p in modules_in(ROOT / folder))


def modules_in(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from modules_in(path)
        elif path.suffix == ".py":
            yield path


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts if parts[0] == "tradewind" else ("tradewind", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(path)))


MODULES = {name_of(path): path for path in files()}


def imported(found: Iterable[ast.AST]) -> Iterator[str]:
    """Yield what is imported, modules of ours in full: ``from tradewind.plugins import hooks`` is hooks."""
    for node in found:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield whole if whole in MODULES else base


def everywhere(path: Path) -> Iterator[str]:
    return imported(nodes(path))


def at_import(path: Path) -> Iterator[str]:
    """Yield what is imported when the module is: not in functions, not for type checkers only."""

    def visit(body: list[ast.stmt]) -> Iterator[ast.AST]:
        for node in body:
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                yield from visit(node.orelse)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                yield node
            elif isinstance(node, ast.ClassDef | ast.If | ast.Try):
                yield from visit(node.body)

    return imported(visit(tree(path).body))


def layer(module: str) -> str:
    if module in LEAVES:
        return "leaf"
    part = module.split(".")[1] if "." in module else ""
    return part if part in MAY_IMPORT else "face"


def calls() -> Iterator[tuple[tuple[str, int], ast.Call]]:
    """Yield every call in the project, with its module and line."""
    for name, path in MODULES.items():
        for node in nodes(path):
            if isinstance(node, ast.Call):
                yield (name, node.lineno), node


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (n for n in nodes(path) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def parameters(function: ast.FunctionDef) -> int:
    found = function.args
    return len([a for a in (*found.posonlyargs, *found.args, *found.kwonlyargs) if a.arg not in SELF])


def test_the_scan_sees_the_tree():
    # a scan that finds nothing would pass everything below
    assert {"tradewind.errors", "tradewind.couplers.regrid.regridder", "tradewind.plugins.hooks"} <= set(
        MODULES
    )
    assert "tradewind.couplers.regrid.apply.sparse" in everywhere(
        MODULES["tradewind.couplers.regrid.regridder"]
    )
    assert layer("tradewind.couplers.grids.grid") == "couplers"
    assert layer("tradewind.config.loading") == "face"


@pytest.mark.parametrize("leaf", sorted(LEAVES))
def test_leaves_import_nothing_of_ours(leaf):
    assert not [m for m in everywhere(MODULES[leaf]) if m.startswith("tradewind")]


def test_layers_import_only_what_lies_below():
    wrong = {
        (name, found)
        for name, path in MODULES.items()
        for found in everywhere(path)
        if layer(name) in MAY_IMPORT and found.startswith("tradewind")
        if layer(found) not in {"leaf", *MAY_IMPORT[layer(name)]}
    }
    assert not wrong


def test_modules_do_not_import_each_other_in_a_circle():
    graph = {
        name: {m for m in at_import(path) if m in MODULES and m != name} for name, path in MODULES.items()
    }
    # a package's door imports its modules, and they may name the package: only real modules count
    doors = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    graph = {name: found - doors for name, found in graph.items() if name not in doors}
    assert list(TopologicalSorter(graph).static_order())


def test_names_of_modules_say_something():
    assert not [name for name in MODULES if VAGUE & set(name.split("."))]


def test_modules_are_short():
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert not {name: n for name, n in lengths.items() if n > 400}


def test_functions_take_few_parameters():
    counts = {(name, f.name): parameters(f) for name, path in MODULES.items() for f in functions(path)}
    assert not {where: n for where, n in counts.items() if n > 6}


def test_nothing_is_unpickled():
    assert not [n for n, path in MODULES.items() if UNPICKLERS & {m.split(".")[0] for m in everywhere(path)}]
    loads = [(where, call) for where, call in calls() if getattr(call.func, "attr", "") == "load"]
    loads = [(where, ast.unparse(call)) for where, call in loads]
    assert not [where for where, text in loads if "torch.load(" in text and "weights_only=True" not in text]
    keywords = [(where, keyword) for where, call in calls() for keyword in call.keywords]
    allowed = [where for where, k in keywords if k.arg == "allow_pickle" and ast.unparse(k.value) != "False"]
    assert not allowed


def test_nothing_is_printed_or_evaluated():
    named = [(where, call.func.id) for where, call in calls() if isinstance(call.func, ast.Name)]
    assert not [(where, name) for where, name in named if name in {"print", "eval"}]
    # a plugin in a single file is executed, when the run's owner lists it, and nothing else is
    assert {module for (module, _), name in named if name == "exec"} == {"tradewind.plugins.discovery"}


def test_input_is_not_checked_by_assert():
    # it vanishes under -O, and leaves other ranks waiting
    found = [
        (name, node.lineno)
        for name, path in MODULES.items()
        for node in nodes(path)
        if isinstance(node, ast.Assert)
    ]
    assert not found


def test_all_errors_are_not_swallowed_at_once():
    wide = [
        (name, node)
        for name, path in MODULES.items()
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    ]
    # what raises again may look at every kind
    assert not [
        (name, node.lineno)
        for name, node in wide
        if not any(isinstance(n, ast.Raise) for n in ast.walk(node))
    ]


def test_one_file_imports_esmpy():
    found = {name for name, path in MODULES.items() if "esmpy" in {m.split(".")[0] for m in everywhere(path)}}
    assert found == {"tradewind.couplers.esmf"}


@pytest.mark.parametrize("library", ["mpi4py", "esmpy"])
def test_what_may_be_absent_is_imported_late(library):
    early = {n for n, path in MODULES.items() if library in {m.split(".")[0] for m in at_import(path)}}
    assert not early


@pytest.mark.parametrize("folder", ["couplers", "surrogates", "plugins", "fortran_stubs"])
def test_folders_are_no_packages_of_their_own(folder, tmp_path):
    program = [sys.executable, "-I", "-c", f"import {folder}"]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert f"No module named '{folder}'" in done.stderr
