"""Twins of the methane benchmark: what is compared, and what becomes of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tradewind.bench.methane import methane, totals
from tradewind.bench.methane.totals import Compared
from tradewind.errors import SpecError


def twin(surrogate: float = 2.97, spatial_r: float = 0.99, dofs: float = 6.0) -> Compared:
    return Compared(
        prior=2.0, truth=3.2, reference=3.0, surrogate=surrogate, sigma=0.1, dofs=dofs, spatial_r=spatial_r
    )


def result(posterior: list[float], total: float) -> SimpleNamespace:
    prior = torch.tensor([1.0, 2.0, 0.0], dtype=torch.float64)
    field = SimpleNamespace(prior=prior, posterior=torch.tensor(posterior, dtype=torch.float64))
    shown = SimpleNamespace(prior=2.0, posterior=total, posterior_sigma=0.1)
    return SimpleNamespace(totals=shown, fields=[field], posterior=SimpleNamespace(dofs=6.0))


def test_totals_are_compared_with_the_references_total_and_with_its_increment():
    assert twin().error_pct == pytest.approx(1.0)
    assert twin().of_increment_pct == pytest.approx(3.0)


def test_patterns_are_compared_where_the_prior_emits():
    """Increments (1, 2) and (2, 4) go together; the cell without a prior does not count."""
    found = totals._compared(result([2.0, 4.0, 0.0], 3.0), result([3.0, 6.0, 9.0], 2.97), truth=3.2)
    assert found.spatial_r == pytest.approx(1.0)
    assert found.error_pct == pytest.approx(1.0)


def test_an_inversion_without_totals_is_no_silent_gap():
    without = result([2.0, 4.0, 0.0], 3.0)
    without.totals = None
    with pytest.raises(SpecError, match="no totals"):
        totals._compared(without, without, truth=3.2)


def test_the_figures_are_those_of_the_worst_twin(monkeypatch: pytest.MonkeyPatch):
    every = {1: twin(3.03), 2: twin(2.91, spatial_r=0.97), 3: twin(3.0, dofs=5.5)}
    monkeypatch.setattr(totals, "compared", lambda kind, seed: every[seed])
    found = totals.figures(lambda name, length: lambda: None)
    assert found["total_error_pct_uniform"] == pytest.approx(3.0)
    assert found["spatial_r_min"] == 0.97
    assert found["dofs_min"] == 5.5
    assert found["of_increment_pct_max"] == pytest.approx(9.0)
    assert found["surrogate_clustered_2"] == 2.91


def test_an_inventory_that_is_not_at_hand_has_no_figure(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(totals, "compared", lambda kind, seed: None if kind == "sources" else twin())
    found = totals.figures(lambda name, length: lambda: None)
    assert found["total_error_pct_sources"] is None
    assert not any(key.endswith("_sources_1") for key in found)


def test_every_part_adds_its_figures(monkeypatch: pytest.MonkeyPatch):
    made = lambda name: SimpleNamespace(figures=lambda progress: {name.rsplit(".", 1)[1]: 1})  # noqa: E731
    monkeypatch.setattr(methane, "import_module", made)
    found = methane.figures(lambda name, length: lambda: None)
    assert found == dict.fromkeys(methane.PARTS, 1)
