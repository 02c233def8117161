"""What was recorded with Python is replayed without it: the same bits, and the same refusals."""

from __future__ import annotations

import numpy as np
import pytest

START = ["init record replay", "component pond", "put rate 2 - 0 - 0.125"]
HOUR = ["put inflow 2 4 0 - 0.25 0.5 0.75 1", "run 0 3600"]


@pytest.fixture
def replay(dictate, three_hours):
    """Return a function that makes calls against the recording of three hours."""

    def run(*lines: str) -> list[str]:
        return dictate(lines, TRADEWIND_REPLAY=str(three_hours[0]))

    return run


def last(lines: list[str]) -> str:
    return lines[-1]


def test_every_get_returns_the_bits_that_python_has_returned(replay, three_hours, inflow, numbers):
    hours = [
        line
        for hour in range(3)
        for line in (f"put inflow 2 4 0 - {inflow(hour)}", f"run {3600 * hour} 3600", "get level 2 4 0 -")
    ]
    told = replay(*START, *hours, "get amount 2 4 0 -", "finalize")
    seen = [numbers(line) for line in told if line.startswith("get ")]
    assert seen == three_hours[1]
    assert [line for line in told if not line.startswith("get") and not line.endswith(" ok")] == []


def test_blocks_of_columns_need_not_be_those_of_the_recording(replay, three_hours, inflow, numbers):
    first, *rest = inflow(0).split()
    told = replay(
        *START, f"put inflow 2 3 2 - {' '.join(rest)}", f"put inflow 2 1 1 - {first}", "run 0 3600",
        "get level 2 1 4 -", "get level 2 3 1 -", "report /dev/stdout",
    )  # fmt: skip
    seen = [numbers(line) for line in told if line.startswith("get ")]
    assert seen == [three_hours[1][0][3:], three_hours[1][0][:3]]
    assert "puts that differ from the recorded\t0" in told


def test_another_value_than_the_recorded_is_counted_in_the_report(replay):
    told = replay(*START, "put inflow 2 4 0 - 1 2 3 4", "run 0 3600", "report /dev/stdout")
    assert "puts that differ from the recorded\t1" in told


def test_a_cast_that_is_asked_for_is_made(replay, three_hours, numbers):
    told = last(replay(*START, *HOUR, "get level -1 4 0 -"))
    assert numbers(told) == [float(np.float32(float.fromhex(x))).hex() for x in three_hours[1][0]]


@pytest.mark.parametrize(
    ("lines", "name", "words"),
    [
        (["get level 2 3 0 -"], "shape", "expected shape (4), got (3)"),
        (["get level 2 4,1 0 -"], "shape", "expected shape (4), got (4, 1)"),
        (["get level 2 2 4 -"], "shape", "columns 4 to 5 were given of 4"),
        (["get level 2 2 -1 -"], "shape", "columns are counted from 1"),
        (["get level 1 4 0 -"], "kind", "expected real64, got real32"),
        (["get level 2 4 0 K"], "units", "expected kg2, got K"),
        (["get level 2 4 0 g2!"], "units", "nothing is converted without Python but what was recorded"),
        (["get depth 2 4 0 -"], "field", "known: inflow, level, amount, rate"),
        (["get amount 2 4 0 -"], "field", "the recording holds no value of this after call 1 (run)"),
        (["put level 2 4 0 - 1 2 3 4"], "field", "no field of this name that can be put here"),
        (["put inflow 2 4 0 - 1 2 nan 4"], "data", "NaN"),
        (["run 3600 3600"], "field", "0 of 4 values have been put since call 1"),
        ([*HOUR[:1], "run 7200 3600"], "order", "goes on with run(pond, 3600, 3600)"),
        ([*HOUR[:1], "tangent"], "order", "after call 1, tangent(pond, 0, 0) was asked for"),
        ([*HOUR[:1], "advance 3600"], "order", "goes on with run"),
        (["seconds 2000-01-02"], "data", "does not know the date"),
        (["component lake"], "field", "no component 'lake' (known: pond)"),
        (["grid 1 2 3 4"], "order", "set_grid comes before"),
        (["restore nothing"], "checkpoint", "No such file"),
        (["checkpoint /dev/full"], "file", "No space left on device"),
        (["report /nowhere/report"], "file", "No such file"),
        (["finalize", "get level 2 4 0 -"], "closed", "never opened, or has been finalized"),
    ],
)
def test_what_the_real_engine_refuses_is_refused(replay, lines, name, words):
    told = [line for line in replay(*START, *HOUR, *lines) if line not in {"0x0p+0"}][-1]
    assert told.split()[1] == name
    assert words in told


def test_dates_that_were_asked_for_are_known(replay):
    assert float.fromhex(last(replay("init record", "seconds 2000-01-01T06:00"))) == 21600.0


def test_the_recording_ends_where_it_was_ended(replay, inflow):
    hours = [
        line
        for hour in range(3)
        for line in (f"put inflow 2 4 0 - {inflow(hour)}", f"run {3600 * hour} 3600")
    ]
    assert "goes on with its end" in last(
        replay(*START, *hours, f"put inflow 2 4 0 - {inflow(0)}", "run 10800 3600")
    )


def test_a_checkpoint_leads_back_to_where_it_was_written(replay, three_hours, inflow, numbers):
    told = replay(
        *START, *HOUR, "checkpoint here", f"put inflow 2 4 0 - {inflow(1)}", "run 3600 3600",
        "restore here", f"put inflow 2 4 0 - {inflow(1)}", "run 3600 3600", "get level 2 4 0 -",
    )  # fmt: skip
    assert numbers(last(told)) == three_hours[1][1]


def test_what_is_bound_is_read_and_written_at_every_run(dictate, recorded, numbers):
    levels = []

    def use(session) -> None:
        pond, inflow_, level = session.component("pond"), np.ones(4), np.zeros(4)
        pond.put(0, "rate", np.array(0.125))
        pond.bind("inflow", inflow_)
        pond.bind("level", level)
        pond.run(0.0, 3600.0)
        levels.append([x.hex() for x in level.tolist()])

    record = recorded(use)
    told = dictate(
        [*START, "lend 1 1 1 1", "bind inflow 2 4 0 -", "run 0 3600", "get level 2 4 0 -"],
        TRADEWIND_REPLAY=str(record),
    )
    assert numbers(last(told)) == levels[0]


def test_nan_in_what_is_bound_is_told_at_the_run(dictate, three_hours):
    told = dictate(
        [*START, "lend 1 nan 1 1", "bind inflow 2 4 0 -", "run 0 3600"], TRADEWIND_REPLAY=str(three_hours[0])
    )
    assert last(told).startswith("run data [pond] [inflow]")


def test_the_coupled_run_is_replayed_with_what_exchanges_brought(dictate, recorded, numbers, got):
    seen = []

    def use(session) -> None:
        model, pond = session.component("model"), session.component("pond")
        model.put(0, "inflow", np.array([1.0, 2.0, 3.0, 4.0]))
        pond.put(0, "rate", np.array(0.125))
        session.advance(7200.0)
        seen.extend([got(pond, "level"), got(pond, "inflow")])

    told = dictate(
        ["init record", "component model", "put inflow 2 4 0 - 1 2 3 4", "component pond", START[2],
         "advance 7200", "get level 2 4 0 -", "get inflow 2 4 0 -", "time"],
        TRADEWIND_REPLAY=str(recorded(use)),
    )  # fmt: skip
    assert [numbers(line) for line in told if line.startswith("get ")] == seen
    assert last(told) == "7200 86400 3600"


def test_a_failure_is_told_again_in_the_same_words(dictate, recorded):
    faults = []

    def use(session) -> None:
        pond = session.component("pond")
        pond.put(0, "rate", np.array(0.125))
        pond.put(0, "inflow", np.ones(4))
        with pytest.raises(ZeroDivisionError) as fault:
            pond.run(0.0, 3600.0)
        faults.append(str(fault.value))

    told = dictate(
        [*START, "put inflow 2 4 0 - 1 1 1 1", "run 0 3600"],
        TRADEWIND_REPLAY=str(recorded(use, "fails: step")),
    )
    assert last(told).startswith("run model")
    assert faults[0] in last(told)


def damaged(record, tmp_path, change) -> str:
    """Copy a recording, changed; return its path."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    for file in record.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    change(folder / "rank-00000.txt", folder / "rank-00000.bin")
    return str(folder)


def rewrite(file, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text, _: rewrite(text, "end\n", ""), "was never finalized"),
        (lambda text, _: text.write_text(""), "is empty"),
        (lambda text, _: text.write_bytes(b"\0" * 100), "not a text"),
        (lambda text, _: rewrite(text, "recording 1", "recording 9"), "not a recording of this version"),
        (lambda text, _: rewrite(text, "little", "big"), "byte order"),
        (lambda text, _: rewrite(text, "real64\t4", "real64\t99999999999"), "is damaged"),
        (lambda text, _: rewrite(text, "call\trun\tpond", "call\trun\tlake"), "is damaged"),
        (lambda text, _: rewrite(text, "policy", "polity"), "line 2 is damaged"),
        (lambda _, values: values.write_bytes(values.read_bytes()[:-1]), "is damaged"),
        (lambda _, values: values.unlink(), "No such file"),
    ],
)
def test_a_damaged_recording_is_refused(dictate, three_hours, tmp_path, change, words):
    told = dictate(["init record"], TRADEWIND_REPLAY=damaged(three_hours[0], tmp_path, change))
    assert told[0].startswith("init data")
    assert words in told[0]


def test_changed_numbers_are_not_passed_on(dictate, three_hours, tmp_path):
    def change(_, values) -> None:
        data = bytearray(values.read_bytes())
        data[9] ^= 1
        values.write_bytes(data)

    told = dictate(
        [*START, *HOUR, "get level 2 4 0 -"], TRADEWIND_REPLAY=damaged(three_hours[0], tmp_path, change)
    )
    assert last(told).startswith("get data [pond] [level]")


def test_a_recording_of_two_ranks_is_refused_by_one(dictate, three_hours, tmp_path):
    path = damaged(
        three_hours[0], tmp_path, lambda text, _: rewrite(text, "1\t1\t0\tlittle", "1\t2\t0\tlittle")
    )
    told = dictate(["init record"], TRADEWIND_REPLAY=path)
    assert told[0].startswith("init mpi")
    assert "on 2 ranks, and these are 1" in told[0]
