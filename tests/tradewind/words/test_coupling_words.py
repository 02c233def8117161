"""Every row of docs/coupling-words.md is tried: settings in a small run, refusals at its assembly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from tradewind.config.source import parse_yaml
from tradewind.errors import ConfigError

PAGE = Path(__file__).parents[3] / "docs" / "coupling-words.md"
NOTHING, REFUSED = "–", "refused "


@dataclass(frozen=True)
class Row:
    """One row of a table: their word, what is written here, and what it does."""

    section: str
    theirs: str
    ours: str
    does: str

    @property
    def snippet(self) -> dict:
        return parse_yaml(self.ours.removeprefix(REFUSED).strip("`"))


def rows_of(text: str) -> list[Row]:
    """Return the rows of all tables, with the headings that they stand under."""
    found = []
    for part in re.split(r"^## ", text, flags=re.M)[1:]:
        heading, _, body = part.partition("\n")
        lines = [line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("| ")]
        found += [Row(heading, *cells) for cells in lines[2:]]
    return found


ROWS = rows_of(PAGE.read_text())
SET = [row for row in ROWS if row.ours[0] == "`"]
NOT_SET = [row for row in ROWS if row.ours == NOTHING]
STOPPED = [row for row in ROWS if row.ours.startswith(REFUSED)]


def name_of(row: Row) -> str:
    return f"{row.section}: {row.theirs}"


@pytest.mark.parametrize("row", SET, ids=name_of)
def test_a_setting_does_here_what_its_word_does_there(row, build, by_section):
    over, check = by_section[row.section][row.theirs]
    check(build(row.snippet, over))


@pytest.mark.parametrize("row", STOPPED, ids=name_of)
def test_what_is_called_refused_is_refused(row, build, stops):
    over, reason = stops[row.section][row.theirs]
    build({}, over)  # it is the setting that is refused
    with pytest.raises(ConfigError, match=reason):
        build(row.snippet, over).run.advance(datetime(2000, 1, 1, 12))


@pytest.mark.parametrize("row", NOT_SET, ids=name_of)
def test_what_has_no_counterpart_has_a_reason(row):
    assert len(row.does) > 25


def test_every_row_is_tried_and_every_trial_has_a_row(by_section):
    tried = [(section, theirs) for section, of in by_section.items() for theirs in of]
    assert tried == [(row.section, row.theirs) for row in SET]


def test_every_row_is_a_setting_refused_or_without_a_counterpart():
    assert len(ROWS) == len(SET) + len(STOPPED) + len(NOT_SET)
    assert len(ROWS) == len({(row.section, row.theirs) for row in ROWS})


# the words themselves, each as its own documentation spells it
WORDS = {
    "OASIS3-MCT": """INSTANT AVERAGE ACCUMUL T_MIN T_MAX ONCE LAG SEQ CONSERV GLOBAL GLBPOS BASBAL BASPOS
        CHECKIN CHECKOUT BLASOLD BLASNEW BILINEAR BICUBIC DISTWGT GAUSWGT FRACAREA DESTAREA FRACNNEI FIRST
        SECOND EXPORTED EXPOUT INPUT OUTPUT MAPPING SCRIPR LOCTRANS""",
    "NUOPC and ESMX": """remapMethod extrapMethod poleMethod unmappedAction srcTermProcessing termOrder
        srcMaskValues dstMaskValues normType dumpWeights ignoreDegenerate ignoreUnmatchedIndices pipelineDepth
        zeroRegion startTime stopTime petList""",
    "YAC": """coupling_period time_reduction none accumulate average minimum maximum src_lag tgt_lag
        scale_factor scale_summand nnn conservative fixed creep source_to_target_map user_file timestep_unit
        mapping_side weight_file_name""",
}


@pytest.mark.parametrize(("section", "words"), WORDS.items(), ids=WORDS.keys())
def test_the_words_that_users_know_are_all_there(section, words):
    theirs = " ".join(row.theirs for row in ROWS if row.section == section)
    assert [word for word in words.split() if not re.search(rf"\b{word}\b", theirs)] == []


def test_a_row_whose_effect_is_another_fails(build, sees):
    with pytest.raises(AssertionError):
        sees(3.5, 9.5)(build({"time": "max"}, {}))
