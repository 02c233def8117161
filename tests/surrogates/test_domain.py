"""Where a window network may be used."""

from __future__ import annotations

import pytest
import torch

from tradewind.errors import DataError
from tradewind.surrogates.checkpoint import Bounds
from tradewind.surrogates.datasets import Windows
from tradewind.surrogates.domain import Domain, feature_names, summarise


@pytest.fixture
def trained(smooth):
    return Domain.fit(smooth(200, 0))


def changed(windows, channel, by):
    x = windows.x.clone()
    x[:, channel] += by
    return Windows(x, windows.latitude)


def test_the_summary_is_mean_spread_and_latitude(uniform):
    """An eastward wind of 3 in the west half (20 of 41 columns) and 0 elsewhere: mean 60/41."""
    windows = uniform(0.0, 5.0, latitude=40.0)
    windows.x[:, 4, :, :20] = 3.0
    found = dict(zip(feature_names(), summarise(windows)[0].tolist(), strict=True))
    share = 20 / 41
    assert found["mean eastward_wind_high_first_half"] == pytest.approx(3 * share)
    assert found["spread of eastward_wind_high_first_half"] == pytest.approx(3 * (share * (1 - share)) ** 0.5)
    assert found["mean northward_wind_low_second_half"] == pytest.approx(5.0)
    assert found["latitude"] == pytest.approx(40.0)


def test_all_of_the_training_set_is_inside(smooth, trained):
    assert bool(trained.contains(smooth(200, 0)).all())


def test_its_mirror_image_is_inside(smooth, trained):
    windows = smooth(200, 0)
    x = windows.x.flip(-1)
    x[:, 0:12:2] *= -1.0
    assert bool(trained.contains(Windows(x, windows.latitude)).all())


def test_most_weather_of_the_same_kind_is_inside(smooth, trained):
    assert float(trained.contains(smooth(300, 7)).double().mean()) > 0.8


def test_the_answer_is_per_window(smooth, trained):
    gale = changed(smooth(1, 0), 1, 100.0)
    calm = smooth(1, 0)
    both = Windows(torch.cat([gale.x, calm.x]), torch.cat([gale.latitude, calm.latitude]))
    assert trained.contains(both).tolist() == [False, True]


def test_why_a_window_is_outside_names_the_channel_and_the_range(smooth, trained):
    gale = changed(smooth(1, 0), 3, 100.0)
    text = trained.explain(gale)
    assert text.startswith("window 0: mean northward_wind_middle_first_half is ")
    assert f"trained on {float(trained.lower[3]):.4g} to {float(trained.upper[3]):.4g}" in text


def test_another_latitude_is_outside(smooth, trained):
    polar = Windows(smooth(1, 0).x, torch.tensor([80.0]))
    assert not bool(trained.contains(polar))
    assert "latitude is 80" in trained.explain(polar)


def test_a_combination_never_seen_is_outside_though_each_part_was(smooth):
    """Trained where low and middle winds agree; they now differ, each within its own range."""
    windows = smooth(200, 0)
    x = windows.x.clone()
    x[:, 3] = x[:, 1] + 0.01 * x[:, 3]
    domain = Domain.fit(Windows(x, windows.latitude))
    odd = Windows(x[:1].clone(), windows.latitude[:1])
    odd.x[:, 1] += 2.0 - odd.x[:, 1].mean()
    odd.x[:, 3] += -2.0 - odd.x[:, 3].mean()
    assert not bool(domain.contains(odd))
    assert "a combination not seen in training" in domain.explain(odd)


def test_a_nan_is_outside_and_named(smooth, trained):
    windows = changed(smooth(1, 0), 2, torch.nan)
    assert not bool(trained.contains(windows))
    assert "eastward_wind_middle_first_half is nan" in trained.explain(windows)


def test_nothing_to_explain_inside(smooth, trained):
    assert trained.explain(smooth(3, 0)) == ""


def test_a_channel_that_never_varied_does_not_break_the_fit(uniform):
    windows = uniform(3.0, 1.0, count=4)
    domain = Domain.fit(windows)
    assert bool(domain.contains(windows).all())
    assert not bool(domain.contains(uniform(9.0, 1.0)))


def test_it_survives_the_header_of_a_checkpoint(smooth, trained):
    again = Domain.from_bounds(Bounds.model_validate_json(trained.bounds().model_dump_json()))
    windows = smooth(50, 3)
    assert torch.equal(again.contains(windows), trained.contains(windows))
    assert torch.equal(again.whitening, trained.whitening)


def test_an_empty_training_set_is_refused(smooth):
    with pytest.raises(DataError, match="empty"):
        Domain.fit(smooth(1, 0).select(torch.tensor([], dtype=torch.long)))


def test_no_windows_are_neither_in_nor_out(smooth, trained):
    none = smooth(1, 0).select(torch.tensor([], dtype=torch.long))
    assert trained.contains(none).shape == (0,)
    assert trained.explain(none) == ""
