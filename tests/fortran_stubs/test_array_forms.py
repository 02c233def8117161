"""Arrays of any kind, rank and form arrive as they were; `tradewind bench fortran` tries all 288."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tradewind.bench.fortran.arrays import kept, tried
from tradewind.bench.fortran.forms import BOUND, FORMS, TYPES, Case, cases

SOURCES = Path(__file__).parents[2] / "fortran_stubs"
FEW = (("real64", 2), ("int32", 0))
"""One of seven dimensions would compile for longer than all of these."""


def few() -> list[Case]:
    every = [(*place, form) for place in FEW for form in FORMS]
    return [Case(number, *which) for number, which in enumerate(every, 1)]


def wrong(found: list[tuple[Case, bool]]) -> list[str]:
    return [f"{case.place}, {case.form}" for case, right in found if not right]


def test_all_kinds_ranks_and_nine_forms_are_counted():
    assert len(FORMS) == 9
    assert len(cases(TYPES, range(8))) == 4 * 8 * 9


def test_every_form_arrives_and_comes_back_and_bound_memory_is_used_where_it_lies(hosting):
    found = tried(hosting.prefix, [*few()[:9], Case(10, "real32", 2, BOUND)])
    assert len(found) == 10
    assert not wrong(found)


@pytest.fixture(scope="module")
def without_assumed_rank(hosting, tmp_path_factory) -> list[str]:
    """Return the module for compilers without assumed rank, compiled, and where its interface is."""
    folder = tmp_path_factory.mktemp("fallback")
    made = folder / "tradewind.f90"
    script = SOURCES / "cmake" / "TradewindFallback.cmake"
    given = [f"-DSOURCE={SOURCES / 'tradewind.f90'}", f"-DTARGET={made}"]
    subprocess.run(["cmake", *given, "-P", str(script)], check=True, capture_output=True)
    strict = ["-std=f2018", "-Wall", "-Wextra", "-Werror"]
    command = [hosting.fortran, *strict, "-c", made.name, "-o", "module.o"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    # its interface comes before that of the installed one
    return [f"-I{folder}", str(folder / "module.o")]


def test_the_library_without_python_gives_back_what_was_put(hosting):
    assert not wrong(kept(hosting.prefix, few()[9:]))


def test_the_module_without_assumed_rank_takes_the_same_arrays(hosting, without_assumed_rank):
    assert "(..)" not in Path(without_assumed_rank[1]).with_name("tradewind.f90").read_text()
    assert not wrong(kept(hosting.prefix, few()[:9], *without_assumed_rank))
