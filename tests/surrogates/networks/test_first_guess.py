"""Plumes of particles, against distances worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.surrogates.datasets import Samples, across_the_equator, mirrored
from tradewind.surrogates.networks.first_guess import (
    FirstGuess,
    Plume,
    blended_winds,
    cell_shares,
    cells_per_second,
    sample_winds,
    share_of_step,
    trajectories,
)

LOW = ((1.0, 0.0, 0.0),)
METRES_NORTH = 0.5 * 111_195.0


def centroid(plume):
    axis = torch.arange(41.0) - 20.0
    total = plume.sum()
    return float((plume.sum(0) * axis).sum() / total), float((plume.sum(1) * axis).sum() / total)


def test_a_step_north_is_half_a_degree_of_meridian():
    assert float(cells_per_second(torch.tensor([30.0]), 0.5)[0, 1, 7, 0]) == pytest.approx(1 / METRES_NORTH)


def test_a_step_east_shrinks_with_the_cosine_of_its_own_row():
    """Row 40 of a window at 40 N is 10 degrees north of it: cos 50 degrees."""
    found = float(cells_per_second(torch.tensor([40.0]), 0.5)[0, 0, 40, 0])
    assert found == pytest.approx(1 / (METRES_NORTH * math.cos(math.radians(50.0))), rel=1e-5)


def test_blends_weigh_the_levels_of_each_half(uniform):
    windows = uniform(0.0, 0.0)
    windows.x[:, 1], windows.x[:, 3], windows.x[:, 11] = (
        8.0,
        4.0,
        2.0,
    )  # v low, v mid (first), v high (second)
    winds = blended_winds(windows.x, torch.tensor([[0.5, 0.25, 0.25]]))
    assert winds.shape == (1, 1, 2, 2, 41, 41)
    assert float(winds[0, 0, 0, 1, 0, 0]) == pytest.approx(0.5 * 8.0 + 0.25 * 4.0)
    assert float(winds[0, 0, 1, 1, 0, 0]) == pytest.approx(0.25 * 2.0)


def test_winds_are_sampled_at_positions_counted_from_the_centre():
    """A field equal to its column number is 20 at the centre and 23.5 three and a half cells east."""
    field = torch.arange(41.0).expand(1, 4, 41, 41)
    found = sample_winds(field, torch.tensor([[[0.0, 0.0], [3.5, -2.0]]]), 0.25)
    torch.testing.assert_close(found[0, :, 0], torch.tensor([20.0, 23.5]))


def test_rows_are_counted_northwards():
    field = torch.arange(41.0)[:, None].expand(1, 4, 41, 41)
    assert float(sample_winds(field, torch.tensor([[[0.0, 2.0]]]), 0.25)[0, 0, 1]) == pytest.approx(22.0)


def test_beyond_the_window_the_wind_is_that_of_its_edge():
    field = torch.arange(41.0).expand(1, 4, 41, 41)
    assert float(sample_winds(field, torch.tensor([[[99.0, 0.0]]]), 0.25)[0, 0, 0]) == 40.0


@pytest.mark.parametrize(("moment", "wind"), [(0.25, 2.0), (0.75, 6.0), (0.5, 4.0), (0.0, 0.0), (1.0, 8.0)])
def test_winds_run_linearly_through_the_middles_of_both_halves(moment, wind):
    field = torch.tensor([2.0, 2.0, 6.0, 6.0])[None, :, None, None].expand(1, 4, 41, 41)
    assert float(sample_winds(field, torch.zeros(1, 1, 2), moment)[0, 0, 0]) == pytest.approx(wind)


def test_a_particle_moves_half_of_its_first_step_and_all_later_ones():
    assert share_of_step(2, 4, torch.zeros(1)).tolist() == [1.0, 1.0, 0.5, 0.0]


def test_uniform_wind_carries_the_oldest_particle_nearly_twelve_hours():
    """At 1/7200 cells per second and 4 releases, ages are 10.5, 7.5, 4.5 and 1.5 h: half a cell an hour."""
    winds = torch.zeros(1, 4, 41, 41)
    winds[:, 0::2] = 1.0 / 7200.0
    ends, paths = trajectories(winds, 4, 3 * 3600.0)
    torch.testing.assert_close(ends[0, :, 0], torch.tensor([5.25, 3.75, 2.25, 0.75]))
    assert torch.equal(ends, paths)


def test_the_path_grows_also_when_the_particle_comes_back():
    """East in the first half, west in the second: the mean wind is nought, the spread is not."""
    winds = torch.zeros(1, 4, 41, 41)
    winds[:, 0], winds[:, 2] = 1e-4, -1e-4
    ends, paths = trajectories(winds, 24, 1800.0)
    assert float(paths[0, 0, 0]) > 5 * float(ends[0, 0, 0].abs())


def test_solid_rotation_keeps_the_distance_from_its_pole():
    """The midpoint step is second order: the radius of 5 cells grows by less than 0.5 % in half a turn."""
    y, x = torch.meshgrid(torch.arange(41.0) - 20.0, torch.arange(41.0) - 20.0, indexing="ij")
    rate = math.pi / (12 * 3600.0)
    winds = torch.stack([-rate * y, rate * (x + 5.0)] * 2)[None]  # turns about (-5, 0)
    ends, _ = trajectories(winds, 24, 1800.0)
    radius = torch.hypot(ends[0, :, 0] + 5.0, ends[0, :, 1])
    torch.testing.assert_close(radius, torch.full((24,), 5.0), rtol=5e-3, atol=0.0)


def test_a_gaussian_is_shared_out_by_its_integral_over_cells():
    """Variance 1 about the centre: 38.3 % within half a cell, 24.2 % in the next."""
    shares = cell_shares(torch.tensor([0.0]), torch.tensor([1.0]))[0]
    assert float(shares[20]) == pytest.approx(math.erf(0.5 / math.sqrt(2)), abs=1e-6)
    assert float(shares[21]) == pytest.approx(
        0.5 * (math.erf(1.5 / 2**0.5) - math.erf(0.5 / 2**0.5)), abs=1e-6
    )


def test_no_cell_holds_a_denormal_number(smooth):
    windows = smooth(4, 5)
    plume = FirstGuess(Plume())(windows.x, windows.latitude).detach()
    assert float(plume[plume > 0].min()) > 1e-30


def test_without_wind_everything_stays_near_the_centre(uniform):
    windows = uniform(0.0, 0.0)
    plume = FirstGuess(Plume(LOW, 4, 1))(windows.x, windows.latitude)[0, 0].detach()
    assert float(plume[20, 20]) > 0.9
    assert float(plume.sum()) == pytest.approx(1.0, abs=1e-5)


def test_the_plume_lies_downwind_by_half_of_twelve_hours(uniform):
    """10 m/s to the north for a mean age of 6 h is 216 km, 3.885 cells of half a degree."""
    windows = uniform(0.0, 10.0)
    east, north = centroid(FirstGuess(Plume(LOW, 12, 1))(windows.x, windows.latitude)[0, 0].detach())
    assert north == pytest.approx(10.0 * 6 * 3600 / METRES_NORTH, rel=2e-3)
    assert east == pytest.approx(0.0, abs=1e-4)


def test_the_same_wind_carries_farther_east_at_higher_latitude(uniform):
    """Cells are cos(60) = 1/2 as wide at 60 N: twice as many are crossed."""
    guess = FirstGuess(Plume(LOW, 12, 1))
    near, far = (
        centroid(guess(w.x, w.latitude)[0, 0].detach())[0]
        for w in (uniform(6.0, 0.0, latitude=0.0), uniform(6.0, 0.0, latitude=60.0))
    )
    assert far / near == pytest.approx(2.0, rel=5e-3)


def test_what_a_gale_takes_out_of_the_window_is_missing_from_the_map(uniform):
    """At 60 m/s a particle crosses 20 cells in 5.1 h: about 43 % is left."""
    windows = uniform(0.0, 60.0)
    left = float(FirstGuess(Plume(LOW, 24, 1))(windows.x, windows.latitude).detach().sum())
    assert left == pytest.approx(20.5 * METRES_NORTH / 60.0 / (12 * 3600), abs=0.03)


def test_age_groups_share_out_one_plume(smooth):
    windows = smooth(3, 1)
    whole = FirstGuess(Plume(LOW, 6, 1))(windows.x, windows.latitude)
    parts = FirstGuess(Plume(LOW, 6, 3))(windows.x, windows.latitude)
    assert parts.shape == (3, 3, 41, 41)
    torch.testing.assert_close(parts.sum(1), whole[:, 0])


def test_the_oldest_group_is_farthest_downwind(uniform):
    windows = uniform(0.0, 10.0)
    old, young = FirstGuess(Plume(LOW, 6, 2))(windows.x, windows.latitude)[0].detach()
    assert centroid(old)[1] > centroid(young)[1] + 2.0


def test_ages_that_do_not_divide_the_particles_are_refused():
    with pytest.raises(ValueError, match="5 particles cannot be split into 2 age groups"):
        Plume(LOW, 5, 2)


def test_blends_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match="sum to one"):
        Plume(((0.5, 0.1, 0.0),), 4, 2)


def test_a_time_or_a_spacing_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="must be positive"):
        Plume(hours=0.0)


def test_twice_the_time_carries_the_plume_twice_as_far(uniform):
    windows = uniform(0.0, 4.0)
    short, long = (
        centroid(FirstGuess(Plume(LOW, 12, 1, hours=h))(windows.x, windows.latitude)[0, 0].detach())[1]
        for h in (6.0, 12.0)
    )
    # a narrow plume's centroid on cells is off by a few thousandths
    assert long / short == pytest.approx(2.0, rel=5e-3)


def test_cells_of_twice_the_width_are_crossed_half_as_fast(uniform):
    windows = uniform(0.0, 8.0)
    narrow, wide = (
        centroid(FirstGuess(Plume(LOW, 12, 1, spacing=s))(windows.x, windows.latitude)[0, 0].detach())[1]
        for s in (0.5, 1.0)
    )
    assert narrow / wide == pytest.approx(2.0, rel=2e-3)


def test_the_spread_can_be_learned(smooth):
    windows = smooth(2, 2)
    guess = FirstGuess(Plume(LOW, 4, 1))
    guess(windows.x, windows.latitude).square().sum().backward()
    assert float(guess.log_growth.grad.abs()) > 0
    assert float(guess.log_start.grad.abs()) > 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_mirroring_the_weather_mirrors_the_first_guess(seed):
    generator = torch.Generator().manual_seed(seed)
    x = 8.0 * torch.randn(2, 13, 41, 41, generator=generator, dtype=torch.float64)
    latitude = 60.0 * torch.rand(2, generator=generator, dtype=torch.float64)
    guess = FirstGuess(Plume(((1.0, 0.0, 0.0), (0.2, 0.5, 0.3)), 6, 2)).double()
    flipped = x.flip(-1)
    flipped[:, 0:12:2] *= -1.0
    with torch.no_grad():
        torch.testing.assert_close(
            guess(flipped, latitude), guess(x, latitude).flip(-1), rtol=0.0, atol=1e-12
        )


@pytest.mark.parametrize(("turn", "axis"), [(mirrored, -1), (across_the_equator, -2)])
def test_the_augmentation_and_the_first_guess_agree_on_what_a_mirror_is(draw, turn, axis):
    samples: Samples = draw(2, 3)
    turned = turn(samples, torch.tensor([True, False]))
    guess = FirstGuess(Plume(LOW, 4, 1))
    plain = guess(samples.windows.x, samples.windows.latitude)
    other = guess(turned.windows.x, turned.windows.latitude)
    torch.testing.assert_close(other[0], plain[0].flip(axis), rtol=1e-3, atol=1e-5)
    assert torch.equal(other[1], plain[1])
