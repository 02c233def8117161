"""Placeholders: what is replaced, what is left alone, what is refused."""

from __future__ import annotations

from datetime import datetime

import cftime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.errors import ConfigError, DataError
from tradewind.plugins.external.placeholders import NAMES, render, render_file

VALUES = dict(zip(NAMES, (datetime(2000, 1, 2, 3), datetime(2000, 1, 2, 4), 3600, 7, "forward"), strict=True))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("from {start} to {stop}", "from 2000-01-02T03:00:00 to 2000-01-02T04:00:00"),
        ("{start:%Y%m%d%H}", "2000010203"),
        ("{seconds} s, member {member:03d}, {mode}", "3600 s, member 007, forward"),
        ("{seconds:.1f}", "3600.0"),
        ("no placeholder", "no placeholder"),
        ("{{member}} stays", "{member} stays"),
        ('{"json": {"a": 1}}', '{"json": {"a": 1}}'),
        ("sed -e 's/a{2,3}/b/' { }", "sed -e 's/a{2,3}/b/' { }"),
    ],
)
def test_a_text_with_placeholders(text, wanted):
    assert render(text, VALUES, "run.nml") == wanted


def test_dates_of_other_calendars_are_written_alike():
    values = VALUES | {"start": cftime.datetime(2000, 2, 30, calendar="360_day")}
    assert render("{start:%Y-%m-%d} {start}", values, "") == "2000-02-30 2000-02-30T00:00:00"


def test_an_unknown_placeholder_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"run\.nml: unknown placeholder \{begin\}"):
        render("{begin}", VALUES, "run.nml")
    with pytest.raises(ConfigError, match=r"did you mean 'seconds'.*double the braces"):
        render("{second}", VALUES, "run.nml")


@pytest.mark.parametrize("text", ["{member:%Y}", "{seconds:q}", "{mode:d}"])
def test_a_format_that_does_not_fit_is_refused(text):
    with pytest.raises(ConfigError, match=r"run\.nml: placeholder .* cannot be formatted"):
        render(text, VALUES, "run.nml")


@given(st.text(alphabet=st.characters(exclude_characters="{}")))
def test_text_without_braces_is_left_as_it_is(text):
    assert render(text, VALUES, "") == text


def test_line_ends_and_letters_of_a_file_are_kept(tmp_path):
    path = tmp_path / "run.nml"
    path.write_bytes("grüße {member}\r\n".encode())
    render_file(path, VALUES)
    assert path.read_bytes() == "grüße 7\r\n".encode()


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"data\.bin: is no text in UTF-8 \(list only text files"):
        render_file(path, VALUES)
