"""The operator network: what is known of transport holds for any weights."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.errors import CheckpointError, SpecError
from tradewind.surrogates.datasets import Samples, Windows, across_the_equator, mirrored
from tradewind.surrogates.losses import RelativeL2
from tradewind.surrogates.networks import OperatorNetwork, build_network, parameter_count
from tradewind.surrogates.networks.puffs import AGES, Puffs, along, hats, ridden, seen
from tradewind.surrogates.normalisation import Normalisation

FEW = {"paths": 2, "particles": 4, "hidden": 4}
CELL = 0.5 * 111_195.0
"""Metres in a cell at the equator."""


def network(seed: int = 0, strength: float = 0.5, **options: object) -> OperatorNetwork:
    """Return a network whose weights have been shaken."""
    torch.manual_seed(seed)
    made = OperatorNetwork(puffs={**FEW, **options})
    with torch.no_grad():
        for weights in made.parameters():
            weights.add_(strength * torch.randn_like(weights))
    return made.eval()


def even(east: float, north: float) -> torch.Tensor:
    """Return windows of one wind at all levels and times."""
    x = torch.full((1, 13, 41, 41), 1e5)
    x[:, 0:12:2], x[:, 1:12:2] = east, north
    return x


def answer(made: OperatorNetwork, x: torch.Tensor, latitude: float = 0.0) -> torch.Tensor:
    with torch.no_grad():
        return made(x, torch.full((len(x),), latitude))


def centre(plume: torch.Tensor) -> tuple[float, float]:
    """Return the centre of mass, cells east and north of the source."""
    axis = torch.arange(41.0) - 20.0
    mass = plume.sum()
    return float((plume.sum(1)[0] * axis).sum() / mass), float((plume.sum(2)[0] * axis).sum() / mass)


def storm(samples: int, seed: int = 0) -> torch.Tensor:
    """Return smooth random winds of about ten metres per second."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 12.0 * torch.randn(samples, 13, 4, 4, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=(41, 41), mode="bilinear", align_corners=True)


def test_it_has_hundreds_of_parameters_not_millions():
    assert parameter_count(OperatorNetwork()) < 1000


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), strength=st.floats(0.0, 3.0))
def test_it_is_never_negative_and_never_makes_mass_whatever_the_weights(seed, strength):
    plumes = answer(network(seed, strength), storm(2, seed), 45.0)
    assert bool((plumes >= 0).all())
    assert bool((plumes.sum(dim=(1, 2)) <= 1 + 1e-5).all())


def test_in_calm_air_nothing_is_lost_and_the_plume_stays():
    plume = answer(network(), even(0.0, 0.0))
    assert float(plume.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(plume[0, 20, 20]) > 0.5


def test_in_an_even_wind_the_mass_lies_half_a_window_downwind():
    """Released evenly over 12 hours, the mean age is 6 hours: 5 m/s carry it 108 km, two cells."""
    east, north = centre(answer(network(), even(5.0, 0.0)))
    assert east == pytest.approx(5.0 * 6 * 3600 / CELL, rel=0.02)
    assert north == pytest.approx(0.0, abs=1e-4)


def test_twice_the_wind_goes_twice_as_far():
    made = network()
    slow, fast = (centre(answer(made, even(0.0, speed)))[1] for speed in (3.0, 6.0))
    assert fast == pytest.approx(2 * slow, rel=0.01)


def test_when_the_wind_turns_the_plume_turns_with_it():
    """At the equator, where cells are square, a quarter turn of the wind is one of the plume."""
    made = network()
    eastward, northward = answer(made, even(6.0, 2.0), 1e-4), answer(made, even(-2.0, 6.0), 1e-4)
    torch.testing.assert_close(northward, torch.rot90(eastward, -1, (1, 2)), rtol=0, atol=2e-4)


def test_a_parallel_of_higher_latitude_is_shorter_so_that_plumes_reach_further():
    made = network()
    equator, north = (centre(answer(made, even(4.0, 0.0), latitude))[0] for latitude in (0.0, 60.0))
    assert north == pytest.approx(2.0 * equator, rel=0.03)


@pytest.mark.parametrize("mirror", [mirrored, across_the_equator])
def test_mirrored_weather_gives_the_mirrored_plume(mirror):
    made, x = network(), storm(2)
    windows = Windows(x, torch.tensor([30.0, 50.0]))
    plain = made(windows.x, windows.latitude).detach()
    other = mirror(Samples(windows, plain.clamp(0, 1)), torch.tensor([True, True]))
    again = made(other.windows.x, other.windows.latitude).detach()
    torch.testing.assert_close(again, other.target, rtol=0, atol=1e-5)


def test_what_a_gale_blows_out_of_the_window_is_gone():
    assert float(answer(network(), even(0.0, 80.0)).sum()) < 0.5


def test_shares_of_a_release_sum_to_one_over_the_paths():
    """In calm air every puff stays, so the mass of all puffs is the sum of the shares."""
    puffs = network(3).puffs
    spread = puffs.spread(even(0.0, 0.0), torch.zeros(1))
    assert float(spread.total().sum().detach()) == pytest.approx(1.0, abs=1e-5)
    assert torch.allclose(spread.maps().sum(1), spread.total(), atol=1e-6)


def test_age_groups_split_the_plume_and_do_not_change_it():
    torch.manual_seed(1)
    whole = Puffs(paths=2, particles=4)
    split = Puffs(paths=2, particles=4, ages=2)
    split.load_state_dict(whole.state_dict())
    x, latitude = storm(2), torch.tensor([10.0, 40.0])
    parts = split.spread(x, latitude)
    assert parts.maps().shape == (2, 4, 41, 41)
    torch.testing.assert_close(parts.total(), whole.spread(x, latitude).total(), rtol=0, atol=1e-6)


def test_old_air_comes_first_in_a_path_and_has_gone_furthest():
    spread = Puffs(paths=1, particles=4, ages=2).spread(even(5.0, 0.0), torch.zeros(1))
    old, new = (centre(spread.maps()[:, k].detach())[0] for k in (0, 1))
    assert old > new > 0


def test_every_weight_takes_part_in_the_answer():
    made = network(5)
    made(storm(3), torch.tensor([10.0, 30.0, 50.0])).square().sum().backward()
    silent = [n for n, p in made.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert silent == []


def test_it_learns_how_high_plumes_ride():
    """Plumes of a network that rides aloft are learned by one that starts near the ground."""
    x, latitude = storm(8), torch.linspace(20.0, 55.0, 8)
    target = answer(network(1, 1.0), x, 40.0)
    learner = network(2, 0.0)
    optimiser = torch.optim.Adam(learner.parameters(), lr=0.05)
    loss = RelativeL2()
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        misfit = loss(learner(x, torch.full((8,), 40.0)), target)
        misfit.backward()
        optimiser.step()
        losses.append(misfit.item())
    assert latitude.shape == (8,)
    assert losses[-1] < 0.5 * losses[0]


def test_its_options_build_it_again():
    made = network(particles=6, ages=3)
    twin = build_network("operator", made.options(), made.normalisation)
    twin.load_state_dict(made.state_dict())
    x = storm(1)
    assert torch.equal(answer(made, x), answer(twin.eval(), x))


@pytest.mark.parametrize(
    "puffs", [{"particles": 5, "ages": 2}, {"paths": 0}, {"hours": 0.0}, {"spacing": -1.0}, {"colour": 1}]
)
def test_options_that_do_not_fit_are_refused(puffs):
    with pytest.raises(CheckpointError, match="does not take these options"):
        build_network("operator", {"puffs": puffs}, Normalisation.identity(13))


def test_windows_of_another_shape_are_refused():
    with pytest.raises(SpecError, match="windows of shape"):
        OperatorNetwork()(torch.zeros(1, 13, 40, 41), torch.zeros(1))


def test_ages_lie_between_their_knots():
    weights = hats(8)
    torch.testing.assert_close(weights.sum(1), torch.ones(8))
    ages = (torch.arange(8) + 0.5) / 8
    torch.testing.assert_close(weights @ torch.tensor(AGES), ages)


def test_fields_are_winds_in_cells_and_their_divergence():
    """u = x on the lowest level: it diverges by one per time unit, the others do not."""
    x = torch.zeros(1, 13, 41, 41)
    x[:, 0] = CELL * torch.arange(-20.0, 21.0)
    fields = along(x, torch.zeros(1), 0.5).unflatten(1, (2, 8))
    assert float(fields[0, 0, 0, 20, 25]) == pytest.approx(5.0, rel=1e-4)
    torch.testing.assert_close(fields[0, 0, 6, 20], torch.ones(41), rtol=1e-3, atol=1e-3)
    assert not bool(fields[0, 0, 7].any())
    assert not bool(fields[0, 1].any())


def test_fields_are_read_between_cells_and_between_the_halves_of_the_time():
    fields = torch.zeros(1, 16, 41, 41)
    fields[:, 0], fields[:, 8] = torch.arange(41.0), 40.0
    at = torch.tensor([[[[2.5, 0.0]]]])
    assert float(seen(fields, at, 0.25)[..., 0]) == pytest.approx(22.5, rel=1e-5)
    assert float(seen(fields, at, 0.75)[..., 0]) == pytest.approx(40.0, rel=1e-5)
    assert float(seen(fields, at, 0.5)[..., 0]) == pytest.approx(0.5 * (22.5 + 40.0), rel=1e-5)


def test_a_puff_rides_the_blend_of_the_levels_winds():
    here = torch.tensor([1.0, 10.0, 2.0, 20.0, 4.0, 40.0, 0.0, 0.0]).view(1, 1, 1, 8)
    blend = torch.tensor([0.5, 0.25, 0.25]).view(1, 1, 3)
    assert ridden(here, blend).flatten().tolist() == pytest.approx([2.0, 20.0])


def test_a_faster_step_leaves_wider_puffs():
    """Releases a step apart stand for all between them: variance grows by a twelfth of the step squared."""
    puffs = Puffs(paths=1, particles=4)
    with torch.no_grad():
        puffs.log_growth.fill_(-math.inf)
        puffs.log_shear.fill_(-math.inf)
        puffs.log_start.fill_(math.log(0.01))
    journey = puffs.travel(along(even(5.0, 0.0), torch.zeros(1), 0.5))
    step = 5.0 * 3 * 3600 / CELL
    expected = torch.tensor([0.01 + step**2 / 12, 0.01])
    torch.testing.assert_close(puffs._variance(journey)[0, 0, 0].detach(), expected, rtol=1e-3, atol=1e-5)
