"""Fields that are only declared: what is put is what is got."""

from __future__ import annotations

import pytest

OPEN = ["init net.safetensors", "component network"]


def test_it_is_found_beside_what_it_stands_in_for(dictate, declared):
    assert dictate(OPEN) == ["init ok", "component ok"]


def test_fields_are_told_as_they_are_declared(dictate, declared):
    assert dictate([*OPEN, "fields", "component land", "fields"])[2:] == [
        "field x 1 1 1 (-1, 2)", "field y kg m-2 s-1 2 1 (-1)", "fields ok", "component ok",
        "field soil K 1 2 (4)", "field count 1 3 4 ()", "fields ok",
    ]  # fmt: skip


def test_what_was_put_comes_back_in_any_block(dictate, declared):
    told = dictate([*OPEN, "put x 1 3,2 0 - 1 2 3 4 5 6", "get x 1 2,2 2 -"])
    assert told[-1] == "get 0x1p+1 0x1.8p+1 0x1.4p+2 0x1.8p+2"


def test_an_export_has_its_initial_value_until_it_is_put(dictate, declared):
    told = dictate([*OPEN, "get y 1 2 0 -", "put y 1 2 0 - 7 8", "get y 1 2 0 -"])
    assert told[2::2] == ["get 0x1.8p+0 0x1.8p+0", "get 0x1.cp+2 0x1p+3"]


def test_integers_beyond_two_to_the_53_keep_their_digits(dictate, declared):
    told = dictate(
        ["init net.fields", "component land", "put count 4 - 0 - 9007199254740993", "get count 4 - 0 -"]
    )
    assert told[-1] == "get 9007199254740993"


def test_a_checkpoint_keeps_what_was_put(dictate, declared):
    dictate([*OPEN, "put x 1 1,2 0 - 1 2", "advance 3600", "checkpoint kept"])
    told = dictate([*OPEN, "restore kept", "get x 1 1,2 0 -", "time"])
    assert told[2:] == ["restore ok", "get 0x1p+0 0x1p+1", "time ok", "3600 86400 3600"]


@pytest.mark.parametrize(
    ("lines", "name", "words"),
    [
        (["run 0 1"], "field", "has not been given"),
        (["put x 1 2,2 2 - 1 2 3 4"], "shape", "columns 2 to 3 were given of 2"),
        (["put x 1 3,3 0 - 1 2 3 4 5 6 7 8 9"], "shape", "expected shape (3, 2), got (3, 3)"),
        (["put x 2 1,2 0 - 1 2"], "kind", "expected real32, got real64"),
        (["put x 1 1,2 0 m 1 2"], "units", "expected 1, got m"),
        (["put z 1 1,2 0 - 1 2"], "field", "known: x, y"),
        (["component sea"], "field", "known: network, land"),
        (["advance 90000"], "order", "outside"),
        (["tangent"], "order", "comes after a run"),
        (["solve"], "unsupported", "record a session with Python"),
        (["restore net.fields"], "checkpoint", "damaged, or not a checkpoint"),
    ],
)
def test_what_does_not_fit_is_refused(dictate, declared, lines, name, words):
    told = dictate([*OPEN, *lines])[-1]
    assert told.split()[1] == name
    assert words in told


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import x 1 real32 *,2", "has been declared before"),
        ("import z 1 real16 *", "kinds are"),
        ("import z 1 real32 2,*", "extents are"),
        ("import z 1 real32", "a field is"),
        ("import z 1 real32 * one", "no number"),
        ("bring z 1 real32 *", "lines begin with"),
        ("policy perhaps", "abort or return"),
        ("clock 0 1", "clock is followed by"),
    ],
)
def test_a_wrong_declaration_is_told_with_its_line(dictate, declared, line, words):
    declared.write_text(f"tradewind fields 1\nimport x 1 real32 *\n{line}\n")
    told = dictate(OPEN[:1])[0]
    assert told.startswith("init config")
    assert "line 3: " in told
    assert words in told


def test_without_anything_to_replay_it_is_said_what_was_looked_for(dictate):
    told = dictate(["init run.yaml"])[0]
    assert told.startswith("init config")
    assert "run.yaml.record" in told
    assert "TRADEWIND_REPLAY" in told
