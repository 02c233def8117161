"""A function in a file: found without running it, told about by line."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest

from tradewind.errors import DataError, PluginError
from tradewind.plugins.prescribed.user_code import Function

KNOWN = ("a", "b", "random")


@pytest.fixture
def make(tmp_path):
    def build(text, name="f"):
        (tmp_path / "mine.py").write_text(dedent(text))
        return Function(tmp_path / "mine.py", name, KNOWN)

    return build


@pytest.mark.parametrize(
    ("text", "may", "does"),
    [
        ("def f(a, random): ...", True, True),
        ("def f(a, *, random): ...", True, True),
        ("def f(a, random=None): ...", True, True),
        ("def f(a): ...", False, False),
        ("f = print", True, False),
        ("from random import random as f", True, False),
        ("import math\n@math.fabs\ndef f(a): ...", True, False),
    ],
)
def test_what_it_asks_for_is_seen_from_outside(make, text, may, does):
    function = make(text)
    function.check()
    assert (function.may_ask_for("random"), function.asks_for("random")) == (may, does)


@pytest.mark.parametrize(
    "text",
    ["def f(a, b): ...", "def f(*, a): ...", "def f(a, /): ...", "def f(c=1): ...", "def f(a, *, c=1): ..."],
)
def test_arguments_that_can_be_given_are_accepted(make, text):
    make(text).check()


@pytest.mark.parametrize(
    "text", ["def f(c): ...", "def f(a, c, b=1): ...", "def f(*, c): ...", "def f(a, *, b, c): ..."]
)
def test_arguments_that_cannot_be_given_are_refused(make, text):
    with pytest.raises(PluginError, match=r"there is no 'c' to be given \(it may ask for a, b, random\)"):
        make(text).check()


@pytest.mark.parametrize(
    "text", ["", "class f: ...", "if True:\n    def f(): ...", "def g():\n    def f(): ..."]
)
def test_a_function_stands_at_the_top_of_the_file(make, text):
    with pytest.raises(PluginError, match=r"mine\.py defines no 'f'"):
        make(text).check()


def test_it_is_called_with_what_it_asks_for(make):
    assert make("def f(b, c=3, *, a): return a, b, c")({"a": 1, "b": 2, "random": None}) == (1, 2, 3)


def test_arguments_by_position_only_are_told(make):
    with pytest.raises(PluginError, match=r"function 'f': TypeError: .*positional-only"):
        make("def f(a, /): return a")({"a": 1})


def test_a_file_is_run_once(make):
    text = "calls = []\n\ndef f(a):\n    calls.append(a)\n    return len(calls)\n"
    function = make(text)
    assert [function({"a": k}) for k in range(3)] == [1, 2, 3]


def test_two_files_of_one_name_do_not_meet(make, tmp_path):
    first = make("def f(): return 1")
    assert first({}) == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.py").write_text("def f(): return 2")
    assert Function(tmp_path / "other" / "mine.py", "f", KNOWN)({}) == 2
    assert first({}) == 1


def test_what_is_changed_after_it_was_read_does_not_count(make, tmp_path):
    function = make("def f(): return 1")
    function.check()
    (tmp_path / "mine.py").write_text("def f(): return 2")
    assert function({}) == 1


def test_the_last_line_of_the_users_is_named_however_deep(make):
    text = """
        from json import loads

        def deep(text):
            return loads(text)

        def f():
            return deep("{")
    """
    with pytest.raises(PluginError, match=r"mine\.py, function 'f', line 5: JSONDecodeError: Expecting"):
        make(text)({})


def test_errors_of_ours_keep_their_text_and_get_a_line(make):
    fault = "raise DataError('is empty', where='x.nc', hint='fill it')"
    text = f"from tradewind.errors import DataError\n\ndef f():\n    {fault}\n"
    with pytest.raises(PluginError, match=r"line 4: x\.nc: is empty \(fill it\)") as told:
        make(text)({})
    assert isinstance(told.value.__cause__, DataError)


def test_leaving_the_program_is_told_as_any_fault(make):
    with pytest.raises(PluginError, match="line 3: SystemExit: 3"):
        make("import sys\ndef f():\n    sys.exit(3)\n")({})


def test_an_interrupt_is_not_a_fault_of_the_users(make):
    with pytest.raises(KeyboardInterrupt):
        make("def f():\n    raise KeyboardInterrupt\n")({})


def test_a_file_that_fails_leaves_no_module_behind(make):
    function = make("raise ValueError('no')\ndef f(): ...")
    with pytest.raises(PluginError, match="line 1: ValueError: no"):
        function({})
    assert function.source.module_name not in sys.modules


def test_classes_of_the_file_can_be_dataclasses(make):
    text = """
        from __future__ import annotations
        from dataclasses import dataclass

        @dataclass
        class Pair:
            a: int

        def f(a):
            return Pair(a).a
    """
    assert make(text)({"a": 4}) == 4
