"""R-hat and effective sample size against processes whose answer is known."""

from __future__ import annotations

import pytest
import torch

from tradewind.plugins.solvers.sampling.convergence import effective_size, split_r_hat


def draw(*shape, seed=0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_r_hat_by_hand():
    # halves (0 2) and (2 4) of one chain: W = 2, B/n = 2, R² = 1/2 + 2/2
    draws = torch.tensor([0.0, 2.0, 2.0, 4.0]).double().reshape(4, 1, 1)
    assert float(split_r_hat(draws)) == pytest.approx(1.5**0.5, rel=1e-14)


def test_r_hat_is_one_for_independent_draws():
    assert (split_r_hat(draw(1000, 4, 5)) - 1).abs().max() < 0.01


def test_chains_in_different_places_have_not_converged():
    draws = draw(200, 4, 1) + torch.tensor([0.0, 0.0, 0.0, 3.0]).reshape(4, 1)
    assert float(split_r_hat(draws)) > 1.3


def test_a_drift_shows_even_in_a_single_chain():
    assert float(split_r_hat(torch.linspace(0, 1, 100).double().reshape(100, 1, 1))) > 1.5


def test_chains_that_never_move_have_not_converged():
    stuck = torch.ones(10, 3, 1).double()
    assert float(split_r_hat(stuck)) == float("inf")
    assert float(effective_size(stuck)) == 0.0


def test_independent_draws_count_in_full():
    assert effective_size(draw(2000, 4, 3)).tolist() == pytest.approx([8000] * 3, rel=0.1)


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_an_autoregression_is_worth_what_theory_says(rho):
    # N (1 - rho) / (1 + rho)
    noise, x = draw(4000, 8, 1, seed=1), [draw(8, 1, seed=2)]
    for step in noise:
        x.append(rho * x[-1] + (1 - rho**2) ** 0.5 * step)
    expected = 32000 * (1 - rho) / (1 + rho)
    assert float(effective_size(torch.stack(x[1:]))) == pytest.approx(expected, rel=0.2)
