"""What the frozen engine does around its network; the network is a stand-in, so that no torch is needed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from ctypes import POINTER, c_int32
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MLP = "import\tx\t1\treal32\t3\nexport\ty\t1\treal32\t2\n"
MIXED = "import\tt\tK\treal64\t0\nimport\tq\tkg kg-1\treal64\t2\nexport\train\tkg m-2 s-1\treal64\t0\n"
ASKED = MLP + "export\tasked\t1\treal32\t0\n"

Open = Callable[[str | bytes], Any]


def columns(n: int, levels: int, dtype: Any = np.float32) -> np.ndarray:
    """Return 1, 2, 3 ... in Fortran's order, shape ``(n, levels)``."""
    return np.asfortranarray(np.arange(1, n * levels + 1, dtype=dtype).reshape(levels, n).T)


def answer(n: int) -> np.ndarray:
    return np.full((n, 2), -1, dtype=np.float32, order="F")


# ---------------------------------------------------------------------- what is answered
def test_answers_are_those_of_the_network(opened: Open) -> None:
    host, y = opened(MLP), answer(4)
    told = [host.put("x", columns(4, 3)), host.run(), host.get("y", y)]
    assert [t.code for t in told] == ["ok"] * 3
    # columns hold 1 5 9, 2 6 10, ...; row r of the answer is r times their sum
    np.testing.assert_array_equal(y, [[15, 30], [18, 36], [21, 42], [24, 48]])


def test_fields_of_all_shapes_and_kinds_enter_in_declared_order(opened: Open) -> None:
    host, rain = opened(MIXED), np.zeros(3)
    host.put("q", columns(3, 2, np.float64))
    host.put("t", np.array([100.0, 200.0, 300.0]))
    assert (host.run().code, host.get("rain", rain).code) == ("ok", "ok")
    np.testing.assert_array_equal(rain, [105, 207, 309])


def test_bound_memory_is_read_and_written_at_every_run(opened: Open) -> None:
    host, x, y = opened(MLP), columns(2, 3), answer(2)
    host.bind("x", x)
    host.bind("y", y)
    for factor in (1, 10):
        x[:] = factor * columns(2, 3)
        assert host.run().code == "ok"
        np.testing.assert_array_equal(y, factor * np.array([[9, 18], [12, 24]]))


def test_bound_arrays_may_lie_anyhow(opened: Open) -> None:
    host, wide = opened(MLP), np.zeros((8, 6), dtype=np.float32)
    x, y = wide[::-2, ::2], np.full((4, 2), -1, dtype=np.float32)
    x[:] = columns(4, 3)
    assert (host.bind("x", x).code, host.bind("y", y).code, host.run().code) == ("ok",) * 3
    np.testing.assert_array_equal(y, [[15, 30], [18, 36], [21, 42], [24, 48]])
    assert wide[:, 1::2].sum() == 0


def test_other_kinds_are_converted_when_asked(opened: Open) -> None:
    host, y = opened(MLP), np.zeros((2, 2), dtype=np.int64, order="F")
    assert host.put("x", columns(2, 3, np.float64), cast=1).code == "ok"
    assert (host.run().code, host.get("y", y, cast=1).code) == ("ok", "ok")
    np.testing.assert_array_equal(y, [[9, 18], [12, 24]])


def test_one_member_may_have_an_axis(opened: Open) -> None:
    host, y = opened(MLP), np.zeros((2, 2, 1), dtype=np.float32, order="F")
    assert host.put("x", columns(2, 3)[:, :, None]).code == "ok"
    assert (host.run().code, host.get("y", y).code) == ("ok", "ok")
    np.testing.assert_array_equal(y[:, :, 0], [[9, 18], [12, 24]])


def test_no_columns_are_answered_by_none(opened: Open) -> None:
    host = opened(MLP)
    assert 0 in answer(0).strides  # whatever a compiler says of the strides of nothing
    assert host.put("x", columns(0, 3)).code == "ok"
    assert (host.run().code, host.get("y", answer(0)).code) == ("ok", "ok")


def test_another_number_of_columns_may_come_with_every_run(opened: Open) -> None:
    host = opened(MLP)
    for n in (5, 2, 7):
        y = answer(n)
        host.put("x", columns(n, 3))
        assert (host.run().code, host.get("y", y).code) == ("ok", "ok")
        np.testing.assert_array_equal(y[:, 0], columns(n, 3).sum(axis=1))


def test_what_was_put_last_counts_not_what_was_bound_before(opened: Open) -> None:
    host, y = opened(MLP), answer(2)
    host.bind("x", columns(2, 3))
    host.put("x", np.zeros((2, 3), dtype=np.float32, order="F"))
    host.run()
    host.get("y", y)
    assert not y.any()


def test_imports_can_be_got_back(opened: Open) -> None:
    host, back = opened(MLP), np.zeros((4, 3), dtype=np.float32, order="F")
    host.put("x", columns(4, 3))
    assert host.get("x", back).code == "ok"
    np.testing.assert_array_equal(back, columns(4, 3))


# ---------------------------------------------------------------------- blocks and grids
def test_blocks_are_put_piece_by_piece_and_run_once(opened: Open) -> None:
    host, x, y = opened(MLP), columns(5, 3), answer(2)
    host.set_grid(1, 2, 3, 4, 5)
    assert host.put("x", x[3:], first=4).code == "ok"
    missing = host.run()
    assert (missing.code, missing.field) == ("field", "x")
    assert "column 1 has not been put" in missing.message
    host.put("x", x[:3], first=1)
    assert (host.run().code, host.get("y", y, first=2).code) == ("ok", "ok")
    np.testing.assert_array_equal(y[:, 0], x.sum(axis=1)[1:3])


@pytest.mark.parametrize(
    ("first", "length", "code"), [(0, 4, "shape"), (5, 2, "shape"), (6, 1, "shape"), (5, 1, "ok")]
)
def test_blocks_lie_within_the_grid(opened: Open, first: int, length: int, code: str) -> None:
    host = opened(MLP)
    host.set_grid(1, 2, 3, 4, 5)
    assert host.put("x", columns(length, 3), first=first).code == code


def test_blocks_need_to_know_how_many_columns_there_are(opened: Open) -> None:
    told = opened(MLP).put("x", columns(2, 3), first=1)
    assert (told.code, told.field) == ("order", "x")


def test_another_grid_begins_anew(opened: Open) -> None:
    host = opened(MLP)
    host.set_grid(1, 2)
    host.put("x", columns(2, 3))
    host.set_grid(7, 8, 9)
    assert host.run().code == "field"


@pytest.mark.parametrize("numbers", [(0, 1), (-3,)])
def test_cells_count_from_one(opened: Open, numbers: tuple[int, ...]) -> None:
    assert opened(MLP).set_grid(*numbers).code == "grid"


def test_masks_are_refused_not_ignored(opened: Open) -> None:
    everywhere, somewhere = (c_int32 * 2)(1, 1), (c_int32 * 2)(1, 0)
    assert opened(MLP).set_grid(1, 2, mask=everywhere).code == "ok"
    assert opened(MLP).set_grid(1, 2, mask=somewhere).code == "unsupported"


def test_declared_fields_can_be_asked_for(opened: Open) -> None:
    host = opened(MIXED)
    host.set_grid(1, 2, 3)
    assert host.fields() == [
        ("t", "K", 1, 2, (3,)),
        ("q", "kg kg-1", 1, 2, (3, 2)),
        ("rain", "kg m-2 s-1", 2, 2, (3,)),
    ]


# ---------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("name", "array", "how", "code", "words"),
    [
        ("x", columns(4, 2), {}, "shape", "declared with extents (4, 3), the array has (4, 2)"),
        ("x", columns(3, 4).T, {}, "ok", ""),
        ("x", np.float32([1, 2, 3]), {}, "shape", "the array has (3)"),
        ("x", np.zeros((4, 3, 2), np.float32, "F"), {}, "shape", "(4, 3, 2)"),
        ("x", np.array(1.0, np.float32), {}, "shape", "the array has ()"),
        ("x", columns(4, 3, np.float64), {}, "kind", "declared as real32, the array is real64"),
        ("x", columns(4, 3, np.int32), {}, "kind", "the array is int32"),
        ("x", columns(4, 3), {"units": b"kg"}, "units", "declared in '1', the array is in 'kg'"),
        ("x", columns(4, 3), {"units": b"1"}, "ok", ""),
        ("x", columns(4, 3), {"units": b"percent", "convert": 1}, "unsupported", "converts no units"),
        ("z", columns(4, 3), {}, "field", "no import of this name"),
        ("y", columns(4, 2), {}, "field", "no import of this name"),
        ("x", columns(4, 3) * np.nan, {}, "data", "NaN"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(
    opened: Open, name: str, array: Any, how: Any, code: str, words: str
) -> None:
    told = opened(MLP).put(name, array, **how)
    assert (told.code, words in told.message) == (code, True)


def test_the_network_answers_only_what_was_put(opened: Open) -> None:
    told = opened(MLP).run()
    assert (told.code, told.field) == ("field", "x")


def test_nothing_is_got_before_a_run(opened: Open) -> None:
    host = opened(MLP)
    host.put("x", columns(2, 3))
    assert host.get("y", answer(2)).code == "field"


def test_imports_have_the_same_columns(opened: Open) -> None:
    host = opened(MIXED)
    host.put("t", np.zeros(3))
    host.put("q", columns(4, 2, np.float64))
    told = host.run()
    assert (told.code, told.field) == ("shape", "q")


def test_a_bound_answer_has_the_columns_of_the_imports(opened: Open) -> None:
    host, y = opened(MLP), answer(3)
    host.bind("y", y)
    host.put("x", columns(2, 3))
    told = host.run()
    assert (told.code, told.field) == ("shape", "y")
    assert (y == -1).all()


def test_bound_memory_is_looked_at_for_nan_at_every_run(opened: Open) -> None:
    host, x, y = opened(MLP), columns(2, 3), answer(2)
    host.bind("x", x)
    host.bind("y", y)
    assert host.run().code == "ok"
    before = y.copy()
    x[1, 2] = np.inf
    assert host.run().code == "data"
    np.testing.assert_array_equal(y, before)


def test_a_failed_run_can_be_mended(opened: Open) -> None:
    host = opened(MLP)
    assert host.run().code == "field"
    host.put("x", columns(2, 3))
    assert host.run().code == "ok"


@pytest.mark.parametrize(("value", "code"), [(1e9, "memory"), (2e9, "model"), (3e9, "internal")])
def test_what_the_network_throws_is_told(opened: Open, value: float, code: str) -> None:
    host = opened(MIXED)
    host.put("t", np.array([value]))
    host.put("q", np.zeros((1, 2)))
    assert host.run().code == code


@pytest.mark.parametrize("name", ["put_tangent", "put_adjoint", "get_tangent", "get_adjoint"])
def test_derivatives_are_not_supported(opened: Open, name: str) -> None:
    assert opened(MLP).hand(name, "x", columns(2, 3)).code == "unsupported"


@pytest.mark.parametrize("name", ["tangent", "adjoint"])
def test_nor_are_calls_of_sessions_that_keep_time(opened: Open, name: str) -> None:
    host = opened(MLP)
    assert host.call(name, host.part).code == "unsupported"
    assert host.call(f"advance_{name}", host.session).code == "unsupported"


def test_the_only_component_is_the_network(opened: Open) -> None:
    host = opened(MLP)
    assert host.call("component_of", host.session, b"chemistry", POINTER(c_int32)(c_int32())).code == "field"


def test_a_finalized_session_is_closed(opened: Open) -> None:
    host = opened(MLP)
    assert host.finalize().code == "ok"
    assert host.run().code == "closed"


# ---------------------------------------------------------------------- domains
BOX = "4\n0 10 5\n0 10 5\n0 20 5\n"
SPHERE = BOX + "1 0 0\n0 1 0\n0 0 1\n"


def inside(*changed: tuple[int, int, float]) -> np.ndarray:
    """Return 100 columns at the domain's centre, but for what is changed."""
    x = np.full((100, 3), 5, dtype=np.float32, order="F")
    for column, level, value in changed:
        x[column, level] = value
    return x


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (inside(), ""),
        (inside((70, 1, 8.9)), ""),
        (inside((70, 1, 9.1)), "column 71: a combination not seen in training (4.1 > 4)"),
        # the box is looked at first: each of these is also too far away
        (inside((99, 0, -0.5)), "column 100 is -0.5, the network was trained on 0 to 10, level 1"),
        (inside((3, 2, 21.0)), "column 4 is 21, the network was trained on 0 to 20, level 3"),
        # each is near enough by itself: sqrt(3 * 2.4**2) = 4.157
        (inside((0, 0, 7.4), (0, 1, 7.4), (0, 2, 7.4)), "column 1: a combination"),
    ],
)
def test_columns_outside_the_domain_are_refused(opened: Open, x: np.ndarray, words: str) -> None:
    host, y = opened(f"{MLP}---\n{SPHERE}"), answer(100)
    host.bind("y", y)
    host.put("x", x)
    told = host.run()
    assert told.code == ("domain" if words else "ok")
    assert words in told.message
    assert (y == -1).all() == bool(words)


# ---------------------------------------------------------------------- files
@pytest.mark.parametrize(
    "text",
    [
        "",
        "import\tx\t1\treal32\n",
        "imported\tx\t1\treal32\t3\n",
        "import\tx\t1\treal16\t3\n",
        "import\tx\t1\treal32\tthree\n",
        "import\tx\t1\treal32\t-1\n",
        "import\t\t1\treal32\t3\n",
        f"import\t{'x' * 128}\t1\treal32\t3\n",
        f"{MLP}---\n4 0 10\n",
        f"{MLP}---\n{BOX}1 0 0 0 one 0 0 0 1\n",
        f"{MLP}---\n{SPHERE.replace('4', 'nan', 1)}",
    ],
)
def test_files_that_do_not_say_what_they_hold_are_refused(opened: Open, text: str) -> None:
    assert opened(text).opened.code == "checkpoint"


def test_bounds_may_be_infinite(opened: Open) -> None:
    host = opened(f"{MLP}---\n{SPHERE.replace('0 10', '-inf inf')}")
    host.put("x", inside((0, 0, -1e30)))
    assert "combination" in host.run().message


def archive(**entries: bytes) -> bytes:
    """Return a zip file of stored entries, as torch writes them."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return memory.getvalue()


WHOLE = archive(code=bytes(range(256)), spec=b"PK and so on", empty=b"")


def test_whole_archives_are_opened(opened: Open) -> None:
    assert opened(WHOLE).opened.code == "ok"


def test_archives_may_be_long(opened: Open) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file, file.open("code", "w", force_zip64=True) as entry:
        entry.write(b"content")
    assert opened(memory.getvalue()).opened.code == "ok"


def test_a_changed_bit_of_any_content_is_found(opened: Open) -> None:
    start = WHOLE.index(bytes(range(256)))
    for at in range(start, start + 256, 17):
        changed = WHOLE[:at] + bytes([WHOLE[at] ^ 4]) + WHOLE[at + 1 :]
        told = opened(changed).opened
        assert (told.code, "a checksum differs" in told.message) == ("checkpoint", True)


def test_what_is_cut_off_anywhere_is_found(opened: Open) -> None:
    for length in range(4, len(WHOLE) - 1, 7):
        assert opened(WHOLE[:length]).opened.code == "checkpoint"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(at=st.integers(4, len(WHOLE) - 1), value=st.integers(0, 255))
def test_no_change_of_a_byte_is_more_than_told(opened: Open, at: int, value: int) -> None:
    told = opened(WHOLE[:at] + bytes([value]) + WHOLE[at + 1 :]).opened
    assert told.code in {"ok", "checkpoint"}
