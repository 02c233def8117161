"""Bars appear after two seconds, on rank 0 of a terminal, and leave nothing behind."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tradewind.progress import Bars, Silent, progress_bars


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def console():
    return Console(file=io.StringIO(), force_terminal=True, width=80)


@pytest.fixture
def clock():
    return Clock()


def shown(bars: Bars, console: Console) -> str:
    with console.capture() as capture:
        for renderable in bars._bars.get_renderables():
            console.print(renderable)
    return capture.get()


def test_a_task_is_shown_after_two_seconds(console, clock):
    with Bars(console, clock) as bars:
        bars("Jacobian", 3)
        clock.now = 1.9
        assert "Jacobian" not in shown(bars, console)
        # without a call in between: a single part may take minutes
        clock.now = 2.1
        assert "Jacobian" in shown(bars, console)


def test_parts_are_counted(console, clock):
    with Bars(console, clock) as bars:
        advance = bars("Jacobian", 3)
        clock.now = 3.0
        advance()
        assert "1/3" in shown(bars, console)


def test_several_tasks_have_a_bar_each(console, clock):
    with Bars(console, clock) as bars:
        bars("outer", 2)
        clock.now = 1.0
        bars("inner", 2)
        clock.now = 2.5
        assert "outer" in shown(bars, console)
        assert "inner" not in shown(bars, console)


def test_bars_go_when_all_is_done(console, clock):
    bars = Bars(console, clock)
    advance = bars("Jacobian", 1)
    clock.now = 3.0
    advance()
    assert "Jacobian" not in shown(bars, console)
    assert not bars._bars.live.is_started


def test_a_second_task_may_follow(console, clock):
    bars = Bars(console, clock)
    bars("first", 1)()
    with bars:
        bars("second", 2)
        clock.now = 5.0
        assert "second" in shown(bars, console)


def test_an_error_gives_the_terminal_back(console, clock):
    bars = Bars(console, clock)
    with pytest.raises(KeyboardInterrupt), bars:
        raise KeyboardInterrupt(bars("Jacobian", 5))
    assert not bars._bars.live.is_started


def test_names_are_no_markup(console, clock):
    with Bars(console, clock) as bars:
        bars("K [/oops]", 2)
        clock.now = 3.0
        assert "K [/oops]" in shown(bars, console)


def test_a_task_of_no_parts_is_nothing(console, clock):
    with Bars(console, clock) as bars:
        bars("nothing", 0)()
        assert not bars._bars.tasks


def test_quick_work_leaves_no_trace(console):
    with progress_bars(console) as progress:
        advance = progress("quick", 2)
        advance()
        advance()
    visible = console.file.getvalue().replace("\n", "")
    assert "quick" not in visible


@pytest.mark.parametrize(
    ("terminal", "rank", "kind"), [(True, 0, Bars), (True, 1, Silent), (False, 0, Silent)]
)
def test_who_sees_bars(terminal, rank, kind):
    console = Console(file=io.StringIO(), force_terminal=terminal)
    assert type(progress_bars(console, rank)) is kind


def test_silence_counts_too():
    with Silent() as silent:
        assert silent("x", 3)() is None
