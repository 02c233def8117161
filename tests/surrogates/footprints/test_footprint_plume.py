"""The plume: what physics says of a footprint, whatever the parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.surrogates.footprints.observations import Window
from tradewind.surrogates.footprints.plume import KNOBS, RESPONSES, Knobs, Plume, follow, ground_density
from tradewind.surrogates.footprints.situations import GAS, Situations, sun_height, variability

MIDDLE = 5


def drawn_plume(seed: int, scale: float = 0.5) -> Plume:
    plume = Plume()
    draw = torch.randn(len(KNOBS), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    spreads = torch.tensor([knob.spread for knob in KNOBS.values()], dtype=torch.float64)
    with torch.no_grad():
        plume.knobs += scale * draw * spreads
    return plume


def set_knob(plume: Plume, **values: float) -> Plume:
    with torch.no_grad():
        for name, value in values.items():
            plume.knobs[list(KNOBS).index(name)] = value
    return plume


def told(plume, hours, window):
    with torch.no_grad():
        return plume(Situations.of(hours, window)).numpy()


def well_mixed(**values: float) -> Plume:
    """Return a plume that is narrow, mixed at once, never vented, and follows the wind as it is."""
    usual = {"opening": -9.0, "diffusion": -9.0, "meander": -9.0, "vertical": 12.0, "venting": 40.0}
    return set_knob(Plume(), **(usual | {"least_depth": -9.0, "persistence": -40.0, "doubt": -40.0} | values))


@pytest.fixture(scope="session")
def square():
    """Return cells around 0 N, 0 E, where a degree is as long in either direction."""
    edges = 0.2 * (np.arange(12) - 5.5)
    return Window(edges, edges.copy())


# ------------------------------------------------------------------ where
def test_the_footprint_lies_upwind(make_hours, window):
    (west,) = told(Plume(), make_hours(1, wind_from=270.0), window)
    assert west[:, :MIDDLE].sum() > 10 * west[:, MIDDLE + 1 :].sum()
    (south,) = told(Plume(), make_hours(1, wind_from=180.0), window)
    assert south[:MIDDLE].sum() > 10 * south[MIDDLE + 1 :].sum()


def test_a_wind_that_turns_turns_the_footprint_with_it(make_hours, square):
    at = {"latitude": 0.0, "longitude": 0.0}
    (west,) = told(Plume(), make_hours(1, wind_from=270.0, **at), square)
    (south,) = told(Plume(), make_hours(1, wind_from=180.0, **at), square)
    # rows run from south to north, so what lay in the west comes to lie in the south by a turn of the indices
    np.testing.assert_allclose(south, np.rot90(west, -1), atol=1e-9)


def test_inlet_and_cells_may_be_moved_together(make_hours, window):
    moved = Window(window.south_north, window.west_east + 7.0)
    here = told(Plume(), make_hours(1), window)
    np.testing.assert_allclose(told(Plume(), make_hours(1, longitude=7.1), moved), here, rtol=1e-9)


def test_the_path_follows_what_blew_before(make_hours, window):
    # from the south until five hours ago, from the west since: the far part lies in the south-west
    wind_from = np.repeat([180.0, 270.0], [15, 4])
    hours = make_hours(19, wind_from=wind_from, wind_speed=6.0)
    (bent,) = told(well_mixed(), hours, window)[-1:]
    assert bent[0, :MIDDLE].sum() > 0.1 * bent[MIDDLE, :MIDDLE].sum()
    assert bent[MIDDLE + 2 :].sum() < 1e-9
    # where the present wind is trusted alone, it goes straight
    (straight,) = told(well_mixed(persistence=40.0), hours, window)[-1:]
    assert straight[0].sum() < 1e-9


def test_the_wind_at_the_inlet_may_be_turned(make_hours, square):
    hours = make_hours(1, wind_from=270.0, latitude=0.0, longitude=0.0)
    (turned,) = told(well_mixed(turn=math.pi / 2), hours, square)
    # a westerly, turned to the left, blows from the south
    assert turned[:MIDDLE].sum() > 10 * turned[:, :MIDDLE].sum()


# ------------------------------------------------------------------ how much
def test_a_mixed_column_sees_a_cell_for_as_long_as_the_air_is_over_it(make_hours, window):
    (found,) = told(well_mixed(), make_hours(1, wind_speed=8.0, mixing_height=800.0), window)
    length = 0.2 * 111_195.0 * math.cos(math.radians(0.1))
    air = 100.0 * 1000.0 / (GAS * 283.15)
    # while the air is over the cell, the flux is added to a column of n H moles
    expected = (length / 8.0) / (air * 800.0)
    assert found[:, 1:4].sum(axis=0).tolist() == pytest.approx([expected] * 3, rel=0.05)


@pytest.mark.parametrize(("change", "factor"), [({"wind_speed": 16.0}, 0.5), ({"mixing_height": 400.0}, 2.0)])
def test_twice_the_wind_or_the_depth_sees_half(make_hours, window, change, factor):
    before, after = (told(well_mixed(), make_hours(1, **c), window)[0, :, 1:5].sum() for c in ({}, change))
    assert after / before == pytest.approx(factor, rel=0.05)


def test_strength_is_a_factor(make_hours, window):
    plain, strong = (told(set_knob(Plume(), strength=s), make_hours(1), window) for s in (0.0, math.log(2)))
    np.testing.assert_allclose(strong, 2 * plain, rtol=1e-12)


def test_cells_add_up(make_hours):
    fine = np.linspace(-1.0, 1.2, 23)
    small = told(Plume(), make_hours(2), Window(fine, fine))
    large = told(Plume(), make_hours(2), Window(fine[::2], fine[::2]))
    np.testing.assert_allclose(large, small.reshape(2, 11, 2, 11, 2).sum(axis=(2, 4)), rtol=1e-9, atol=1e-15)


def test_radon_decays_on_its_way(make_hours, window):
    inert, radon = (
        told(well_mixed(), make_hours(1, tracer=t), window)[0, MIDDLE] for t in ("inert", "radon-222")
    )
    ratio = radon[:MIDDLE] / inert[:MIDDLE]
    assert np.all(np.diff(ratio) > 0)
    # the middle of the westernmost cell is five cells of 22.2 km away, 3.9 h at 8 m/s
    assert ratio[0] == pytest.approx(math.exp(-5 * 22.239e3 / 8.0 / 3600 / 132.4), rel=2e-3)


def test_air_is_vented(make_hours, window):
    closed, open_ = (told(well_mixed(venting=v), make_hours(1), window)[0, MIDDLE, 0] for v in (40.0, 9.0))
    assert open_ / closed == pytest.approx(math.exp(-5 * 22.239e3 / 8.0 / math.exp(9.0)), rel=0.1)


def test_a_high_inlet_does_not_see_the_ground_nearby(make_hours, window):
    low, high = (told(Plume(), make_hours(1, height=z), window)[0, MIDDLE, MIDDLE] for z in (10.0, 300.0))
    assert low > 3 * high


def test_a_mixed_column_has_the_density_of_its_depth(make_hours, window):
    x = Situations.of(make_hours(1, mixing_height=500.0), window)
    plume = well_mixed()
    knobs = Knobs(plume.knobs, x)
    density = ground_density(x, knobs, follow(x, knobs, knobs["persistence"]))
    assert density[0, -1].item() == pytest.approx(1 / 500.0, rel=1e-9)


def test_between_ground_and_lid_the_column_keeps_its_mass(make_hours, window):
    # G as a function of the inlet's height is, by reciprocity, the profile of what the ground gave off
    heights = np.linspace(0.5, 499.5, 500)
    x = Situations.of(make_hours(500, height=heights, mixing_height=500.0), window)
    knobs = Knobs(well_mixed(vertical=0.0, first_height=4.0).knobs, x)
    density = ground_density(x, knobs, follow(x, knobs, knobs["persistence"]))
    np.testing.assert_allclose(density.detach().numpy().sum(axis=0), 1.0, rtol=1e-3)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), speed=st.floats(0.0, 40.0), depth=st.floats(10.0, 3000.0))
def test_footprints_are_numbers_and_not_negative(make_hours, window, seed, speed, depth):
    values = told(drawn_plume(seed), make_hours(1, wind_speed=speed, mixing_height=depth), window)
    assert np.isfinite(values).all()
    assert (values >= 0).all()


# ------------------------------------------------------------------ parameters
def test_what_follows_the_weather_is_linear_in_its_features(make_hours, window):
    x = Situations.of(make_hours(2, wind_speed=np.array([8.0, 8.0 * math.e])), window)
    plume = set_knob(Plume(), **{"strength by wind": 0.3})
    strength = Knobs(plume.knobs, x)["strength"]
    assert strength.flatten().tolist() == pytest.approx([0.0, 0.3])


def test_every_response_has_a_parameter():
    assert {f"{name} by {f}" for name, some in RESPONSES.items() for f in some} < set(KNOBS)


def test_gradients_are_those_of_differences(draw_hours, window):
    x, plume, step = Situations.of(draw_hours(3), window), drawn_plume(3), 1e-6
    weights = torch.linspace(0, 1, 3 * 121, dtype=torch.float64).reshape(3, 11, 11)
    (weights * plume(x)).sum().backward()
    for k in range(len(KNOBS)):
        ends = []
        for sign in (1, -1):
            moved = Plume()
            with torch.no_grad():
                moved.knobs.copy_(plume.knobs)
                moved.knobs[k] += sign * step
                ends.append(float((weights * moved(x)).sum()))
        expected = (ends[0] - ends[1]) / (2 * step)
        assert plume.knobs.grad[k].item() == pytest.approx(expected, rel=1e-4, abs=1e-8)


def test_a_plume_is_strange_by_how_far_its_parameters_went():
    assert Plume().strangeness().item() == 0.0
    away = set_knob(Plume(), strength=2 * KNOBS["strength"].spread)
    assert away.strangeness().item() == pytest.approx(4 / len(KNOBS))


# ------------------------------------------------------------------ features
def test_the_sun_is_overhead_at_noon_on_the_equator_at_equinox(make_hours):
    days = np.datetime64("2021-03-20T12:00") - np.datetime64("1970-01-01T00:00")
    noon = float(days / np.timedelta64(1, "h"))
    found = sun_height(make_hours(3, time=noon + np.array([0.0, 6.0, 12.0]), latitude=0.0, longitude=0.0))
    assert found.tolist() == pytest.approx([1.0, 0.0, -1.0], abs=0.01)


def test_in_summer_the_north_has_the_sun(make_hours):
    june = float(
        (np.datetime64("2021-06-21T12:00") - np.datetime64("1970-01-01T00:00")) / np.timedelta64(1, "h")
    )
    found = sun_height(make_hours(1, time=june, latitude=52.0, longitude=0.0))
    assert found.item() == pytest.approx(math.sin(math.radians(90 - 52 + 23.44)), abs=0.005)


def test_a_steady_wind_has_no_variability_and_one_that_reverses_has(make_hours):
    steady = make_hours(8)
    assert variability(steady, steady)[-1] == pytest.approx(0.0, abs=1e-6)
    turning = make_hours(8, wind_from=np.array([0.0, 180.0] * 4))
    assert variability(turning, turning)[-1] > 0.9
