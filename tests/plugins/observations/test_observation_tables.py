"""Plain tables of towers and aircraft: what is read, and at which heights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.errors import ConfigError, DataError, UnitsError
from tradewind.plugins.observations.options import PointOptions, ProfileOptions
from tradewind.plugins.observations.point import PointOperator
from tradewind.plugins.observations.profile import ProfileOperator

FIELD = torch.tensor([2000.0, 1800.0]).double()[:, None] * torch.ones(4).double()
DAY = np.datetime64("2000-01-01", "ns")

TABLE = """# towers
time, latitude, longitude, value [ppb], uncertainty, height [m]
2000-01-01T01:00, 30.4, -101.4, 1900.0, 5.0, 60
2000-01-01T02:00:00Z, 30.4, -101.4, , 5.0, 60
2000-01-01T05:00+03:00, 30.4, -101.4, 1.905e3, 6.0, 2000
yesterday, 30.4, -101.4, 1910.0, 5.0, 60
"""
PRESSURES = TABLE.replace("height [m]", "pressure [hPa]").replace(", 60\n", ", 750\n")


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table."""

    def table(text=TABLE):
        (tmp_path / "table.csv").write_text(text)
        return tmp_path / "table.csv"

    return table


@pytest.fixture
def point(air, windows):
    """Return a function that reads a table of points."""

    def point(file, **options):
        said = PointOptions.model_validate({"file": file, "format": "table", "variable": "value", **options})
        operator = PointOperator(said, air())
        operator.windows(windows)
        return operator

    return point


def test_a_table_is_read_and_what_it_lacks_is_counted(table, point):
    operator = point(table())
    assert operator.soundings.value.tolist() == [1900.0, 1905.0]
    assert operator.soundings.sigma.tolist() == [5.0, 6.0]
    assert (operator.soundings.time - DAY).tolist() == [h * 3600 * 10**9 for h in (1, 2)]
    assert operator.notes == [
        "1 of 4 observations dropped: its value is missing",
        "1 of 4 observations dropped: its time is missing",
    ]


@pytest.mark.parametrize("mark", ["\t", ";"])
def test_values_may_stand_apart_by_other_marks(table, point, mark):
    assert point(table(TABLE.replace(", ", mark))).soundings.value.tolist() == [1900.0, 1905.0]


def test_columns_may_have_other_names(table, point):
    text = TABLE.replace("value [ppb], uncertainty", "ch4 (ppb), error (ppm)")
    operator = point(table(text), variable="ch4", uncertainty="error")
    assert operator.soundings.sigma.tolist() == pytest.approx([5000.0, 6000.0])


def test_a_value_without_units_is_refused(table, point):
    with pytest.raises(UnitsError, match=r"table\.csv, value"):
        point(table(TABLE.replace(" [ppb]", "")))


def test_a_row_that_is_too_short_is_named_with_its_line(table, point):
    with pytest.raises(DataError, match=r"table\.csv:3: 5 values for 6 names"):
        point(table(TABLE.replace("30.4, -101.4, 1900.0", "30.4, 1900.0")))


def test_an_empty_table_is_refused(table, point):
    with pytest.raises(DataError, match="the table is empty"):
        point(table("# nothing\n"))


def test_a_table_of_names_alone_has_nothing_to_use(table, point):
    with pytest.raises(DataError, match="no observation can be used: it is empty"):
        point(table(TABLE.splitlines()[1]))


def test_quality_columns_work_for_tables(table, point):
    operator = point(table(), quality={"height": [None, 100.0]})
    assert operator.soundings.value.tolist() == [1900.0]
    assert operator.notes[-1] == "1 of 2 observations dropped: its height is above 100"


# ---------------------------------------------------------------------- heights of aircraft
@pytest.fixture
def profile(sigma, windows):
    """Return a function that reads a table of heights of a model that follows the ground."""

    def profile(file, vertical="height", **options):
        said = {"file": file, "format": "table", "variable": "value", "vertical": vertical, **options}
        operator = ProfileOperator(ProfileOptions.model_validate(said), sigma)
        operator.windows(windows)
        return operator

    return profile


def simulated(operator, window, hours):
    looks = operator.looks(window)
    total = sum(look(FIELD) for look in looks.values()) + operator.offset(window)
    assert len(looks) == hours
    return total.tolist()


def test_heights_are_fractions_of_the_grounds_pressure(table, profile, windows):
    # 60 m of 7500 m: .992, within the lowest layer; 2000 m: .766, the same; constant beyond the middle
    operator = profile(table(), scale_height=7500.0)
    assert simulated(operator, windows[0], 2) == pytest.approx([2000.0, 2000.0])


def test_pressures_are_fractions_of_the_grounds(table, profile, windows):
    text = PRESSURES.replace(", 2000\n", ", 500\n")
    operator = profile(table(text), "pressure", surface_pressure=1000.0)
    assert simulated(operator, windows[0], 2) == pytest.approx([2000.0, 1900.0])


def test_the_grounds_pressure_may_stand_in_the_file(table, profile, windows):
    text = TABLE.replace("height [m]", "pressure [hPa], ground [Pa]").replace("2000\n", "400, 8e4\n")
    operator = profile(table(text.replace(", 60\n", ", 600, 8e4\n")), "pressure", surface_pressure="ground")
    assert simulated(operator, windows[0], 2) == pytest.approx([2000.0, 1900.0])


def test_what_is_under_the_ground_is_counted(table, profile):
    text = PRESSURES.replace(", 2000\n", ", 1010\n")
    operator = profile(table(text), "pressure", surface_pressure=1000.0)
    assert operator.notes[-1] == "1 of 2 observations dropped: its pressure is beyond the levels"


@pytest.mark.parametrize("units", ["m", "hPa"])
def test_heights_of_unknown_relation_to_the_levels_are_refused(table, profile, units):
    with pytest.raises(ConfigError, match=r"fractions of the pressure at the ground .*`surface_pressure`"):
        profile(table(TABLE.replace("[m]", f"[{units}]")))
