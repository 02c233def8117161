"""A network on a whole domain: equal to its own forward, in bits that others asked beside do not change."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.errors import SpecError
from tradewind.surrogates.networks import CompactNetwork, PublishedNetwork
from tradewind.surrogates.networks.fused.compact import BLOCK
from tradewind.surrogates.networks.scenes import CutScene, scene
from tradewind.surrogates.normalisation import Normalisation

SCALES = Normalisation((0.0,) * 12 + (1.0e5,), (10.0,) * 12 + (1000.0,), 0.01)
BLENDS = ((1.0, 0.0, 0.0), (0.3, 0.4, 0.3))
KINDS = {
    "puffs": {"widths": (8, 8, 16), "puffs": {"paths": 3, "particles": 6, "ages": 2, "hidden": 5}},
    "puffs at full resolution": {"widths": (4, 8), "puffs": {"paths": 2, "particles": 4}, "stride": 1},
    "plumes": {"widths": (4, 8, 8), "plume": {"particles": 6, "ages": 3, "blends": BLENDS}},
    "plumes at full resolution": {"widths": (4, 4, 8, 8), "plume": {"particles": 4, "ages": 1}, "stride": 1},
}
CELLS = [(row, column) for row in range(20, 24) for column in range(20, 25)]


@pytest.fixture(scope="module")
def weather():
    """Return channels on 44 by 45 cells, strong enough for plumes to leave their windows, and latitudes."""
    random = torch.Generator().manual_seed(3)
    steady = torch.tensor([9.0, -6.0]).repeat(7)[:13, None, None]
    channels = steady + 2.0 * torch.randn(13, 44, 45, generator=random)
    channels[12] = 1e5 + 1000 * torch.randn(44, 45, generator=random)
    return channels, 22.25 + 0.5 * torch.arange(44)


def built(kind):
    """Return a network whose every weight matters."""
    random = torch.Generator().manual_seed(1)
    torch.manual_seed(2)
    network = CompactNetwork(SCALES, **KINDS[kind])
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=random))
    return network


@pytest.fixture(scope="module", params=KINDS)
def network(request):
    return built(request.param)


def exactly(network, weather):
    """Return the network's own answers in float64."""
    channels, latitude = weather
    x = torch.stack([channels[:, r - 20 : r + 21, c - 20 : c + 21] for r, c in CELLS]).double()
    with torch.no_grad():
        return deepcopy(network).double()(x, latitude[[r for r, _ in CELLS]].double())


def test_maps_are_the_networks_own(network, weather):
    found, exact = scene(network, *weather).maps(CELLS), exactly(network, weather)
    assert float((found - exact).norm() / exact.norm()) < 1e-6
    # nearer to the exact answer than, or as near as, the network itself in single precision
    single = CutScene(network, *weather).maps(CELLS)
    assert float((found - exact).norm()) < 1.5 * float((single - exact).norm())


def test_maps_are_non_negative_and_hold_no_more_than_was_emitted(network, weather):
    maps = scene(network, *weather).maps(CELLS)
    assert float(maps.min()) >= 0.0
    assert float(maps.sum((1, 2)).max()) <= 1.0 + 1e-6


@pytest.fixture(scope="module")
def seen(weather):
    one = scene(built("puffs"), *weather)
    return one, one.maps(CELLS)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(range(len(CELLS))), min_size=1, max_size=2 * BLOCK + 3))
def test_bits_do_not_depend_on_what_is_asked_together(seen, numbers):
    one, together = seen
    assert torch.equal(one.maps([CELLS[n] for n in numbers]), together[numbers])


def test_a_source_sees_nothing_beyond_its_window(seen, weather):
    channels, latitude = weather
    elsewhere = channels.clone()
    elsewhere[:, 41:] += 100.0
    elsewhere[:, :, 41:] -= 50.0
    other = scene(built("puffs"), elsewhere, latitude)
    assert torch.equal(other.maps([(20, 20)])[0], seen[1][0])
    assert not torch.equal(other.maps([(21, 21)])[0], seen[1][6])


def test_no_sources_no_maps(network, weather):
    assert scene(network, *weather).maps([]).shape == (0, 41, 41)


def test_any_other_network_is_called_on_windows(weather):
    network = PublishedNetwork(SCALES).eval()
    asked = scene(network, *weather)
    assert isinstance(asked, CutScene)
    assert asked.maps([]).shape == (0, 41, 41)
    exact = exactly(network, weather)
    assert float((asked.maps(CELLS) - exact).norm() / exact.norm()) < 1e-5


@pytest.mark.parametrize("shapes", [((12, 44, 45), (44,)), ((13, 44, 45), (45,)), ((13, 44), (44,))])
def test_weather_of_another_shape_is_refused(shapes):
    with pytest.raises(SpecError, match="channels of shape"):
        scene(built("plumes"), *(torch.zeros(shape) for shape in shapes))
