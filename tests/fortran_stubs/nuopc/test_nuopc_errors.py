"""Whatever goes wrong comes up as a return code of ESMF, with a message in its log."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.mpi

BUCKET = {
    "tradewind_config": "bucket.yaml",
    "tradewind_component": "bucket",
    "tradewind_fields": "rain=precipitation_flux, water=soil_water",
}
INITIALISING, RUNNING = "Initialize for modelComp 2: LND did not return ESMF_SUCCESS", "Run for modelComp 2"


def refused(ran, said: str, code: str, phase: str = INITIALISING) -> None:
    """Check the message, ESMF's words for the code, and that the driver was given it; ESMX then ends."""
    assert said in ran.log, f"{ran.log}\n{ran.printed}"
    assert code in ran.log
    assert phase in ran.log
    assert ran.exit == 1
    assert "signal" not in ran.printed


def test_an_attribute_that_is_misspelled(couple, bucket):
    ran = couple(1, lnd=BUCKET | {"tradewind_compnent": "bucket"})
    refused(ran, "there is no attribute tradewind_compnent; known are", "Unexpected data in file")


def test_a_config_that_is_not_there(couple, bucket):
    ran = couple(1, lnd=BUCKET | {"tradewind_config": "nowhere.yaml"})
    refused(ran, "nowhere.yaml: the run config cannot be read", "Unexpected data in file")


def test_a_component_that_the_config_has_not(couple, bucket):
    ran = couple(1, lnd=BUCKET | {"tradewind_component": "bukket"})
    refused(ran, "there is no such component (did you mean 'bucket'?)", "Not found")


def test_a_field_that_the_component_has_not(couple, bucket):
    ran = couple(1, lnd=BUCKET | {"tradewind_fields": "rainn=precipitation_flux"})
    refused(ran, "names rainn, which the component does not have; it has rain water", "Not found")


def test_an_import_that_nobody_exports(couple, bucket):
    ran = couple(1, lnd=BUCKET | {"tradewind_fields": "rain=snowfall_flux, water=soil_water"})
    refused(ran, "import rain (snowfall_flux) is connected to nothing", "Not found")


def test_other_units_than_those_of_the_dictionary(couple, bucket):
    sky = {"rain": "rain_in_grams", "units": "g m-2 s-1"}
    ran = couple(1, sky=sky, lnd=BUCKET | {"tradewind_fields": "rain=rain_in_grams, water=soil_water"})
    refused(ran, "declared in 'kg m-2 s-1', the array is in 'g m-2 s-1'", "Arguments are incompatible")


def test_a_transferred_grid_that_is_not_the_component_s(couple, bucket):
    ran = couple(1, sky={"nx": 4}, lnd=BUCKET | {"tradewind_geometry": "accept"})
    refused(ran, "8 cells, the component has 6", "Wrong object specified")


def test_an_interval_that_steps_do_not_divide(couple, bucket):
    ran = couple(1, lnd=BUCKET | {"tradewind_step": 7200})
    refused(ran, "is no whole number of steps of 7200", "Unexpected data in file", RUNNING)


def test_imports_of_another_time(couple, bucket):
    sequence = "@10800\n LND -> SKY :remapMethod=redist\n LND\n SKY\n SKY -> LND :remapMethod=redist\n@\n"
    ran = couple(1, lnd=BUCKET, sequence=sequence)
    refused(ran, "import rain is neither of 1996-01-15T00:00:00 nor of", "Object being used before", RUNNING)


def test_a_step_that_fails_is_told_on_every_rank(couple, bucket):
    code = bucket.parent / "bucket.py"
    hole = '    if interval.start.hour >= 6:\n        raise ValueError("the bucket has a hole")\n    kept ='
    code.write_text(code.read_text().replace("    kept =", hole))
    ran = couple(2, lnd=BUCKET)
    refused(ran, "while stepping bucket from 1996-01-15T06:00:00", "did not return", RUNNING)
    assert "ValueError: the bucket has a hole" in ran.log
    assert len(ran.water) == 2
