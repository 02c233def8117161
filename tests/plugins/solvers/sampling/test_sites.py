"""Sites: which elements and observations belong together, and what couples them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.errors import DataError, SpecError
from tradewind.plugins.solvers.sampling.sites import SiteBlocks, by_place, roots, together
from tradewind.testing import VectorControl


@dataclass
class Placed(VectorControl):
    longitude: np.ndarray = None

    @property
    def places(self):
        return self.longitude, np.zeros(len(self.longitude))


def control(*longitude) -> Placed:
    n = len(longitude)
    ones = torch.ones(n, dtype=torch.float64)
    return Placed(ones, DiagonalCovariance(ones), longitude=np.array(longitude, dtype=float))


def seen(**coordinates) -> Observations:
    coordinates = {k: np.array(v) for k, v in coordinates.items()}
    m = len(next(iter(coordinates.values())))
    ones = torch.ones(m, dtype=torch.float64)
    return Observations(ones, DiagonalCovariance(ones), coordinates)


def test_elements_are_gathered_by_site_and_put_back():
    blocks = SiteBlocks.of_labels(np.array([7, 3, 7, 3]), {})
    x = torch.tensor([[10.0, 20.0, 30.0, 40.0]])
    assert blocks.keys == (3, 7)
    assert blocks.gather(x).tolist() == [[[20.0, 40.0], [10.0, 30.0]]]
    assert torch.equal(blocks.scatter(blocks.gather(x)), x)


def test_observations_are_added_by_site():
    blocks = SiteBlocks.of_labels(np.array([3, 7]), {0: np.array([7, 3, 7])})
    assert blocks.added(0, torch.tensor([[1.0, 10.0, 100.0]]).double()).tolist() == [[10.0, 101.0]]
    assert blocks.labels(0).tolist() == [1, 0, 1]


def test_a_site_without_observations_adds_nothing():
    blocks = SiteBlocks.of_labels(np.array([0, 1]), {0: np.array([1])})
    assert blocks.added(0, torch.tensor([[5.0]]).double()).tolist() == [[0.0, 5.0]]


def test_everything_can_be_one_site():
    blocks = together(3, {4: seen(longitude=[0.0, 1.0])})
    assert (blocks.keys, blocks.index.tolist(), blocks.labels(4).tolist()) == ((0,), [[0, 1, 2]], [0, 0])


def test_elements_of_one_place_are_a_site_and_observations_join_the_nearest():
    blocks = by_place(control(10.0, 20.0, 10.0, 20.0), {0: seen(longitude=[19.0, 11.0], latitude=[0.0, 0.0])})
    assert blocks.index.tolist() == [[0, 2], [1, 3]]
    assert blocks.labels(0).tolist() == [1, 0]


def test_the_coordinate_site_counts_places_as_x_names_them():
    # the first element lies farther east, and its label is the larger one
    blocks = by_place(control(20.0, 10.0), {0: seen(site=[0, 1, 1])})
    assert blocks.index.tolist() == [[1], [0]]
    assert blocks.labels(0).tolist() == [1, 0, 0]


def test_a_place_has_the_same_key_whatever_stands_beside_it():
    assert by_place(control(-5.0, 10.0), {}).keys[0] == by_place(control(10.0), {}).keys[0]
    assert by_place(control(355.0), {}).keys == by_place(control(-5.0), {}).keys


def test_roots_of_correlated_blocks():
    one = torch.tensor([[2.0, 0.5], [0.5, 1.0]]).double()
    blocks = SiteBlocks.of_labels(np.array([0, 0, 1, 1]), {})
    found = roots(DenseCovariance(torch.block_diag(one, 3 * one)), blocks)
    torch.testing.assert_close(found @ found.mT, torch.stack([one, 3 * one]))


@pytest.mark.parametrize(
    ("labels", "observations", "error"),
    [
        ([0, 0, 1], {}, "from 1 to 2 elements"),
        ([-1, 0], {}, "labels from -1"),
        ([0, 1], {0: np.array([2])}, "observations of site 2"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, observations, error):
    with pytest.raises((SpecError, DataError), match=error):
        SiteBlocks.of_labels(np.array(labels), observations)


def test_correlated_sites_are_refused():
    coupled = DenseCovariance(torch.tensor([[1.0, 0.1], [0.1, 1.0]]).double())
    with pytest.raises(SpecError, match="different sites are correlated"):
        roots(coupled, SiteBlocks.of_labels(np.array([0, 1]), {}))


def test_places_are_needed():
    with pytest.raises(DataError, match="no place"):
        by_place(control(0.0, np.nan), {})
    with pytest.raises(DataError, match="observations have no place"):
        by_place(control(0.0), {0: seen(time=[0.0])})
    with pytest.raises(DataError, match="observations of sites 0 to 2, x holds 2"):
        by_place(control(0.0, 1.0), {0: seen(site=[0, 2])})
