"""The forms of one inversion: all give the same, and low-rank errs on the safe side."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import (
    BlockCovariance,
    DenseCovariance,
    DiagonalCovariance,
    KroneckerCovariance,
)
from tradewind.plugins.solvers.inversion.normal import information_form, kernels, low_rank_form
from tradewind.plugins.solvers.inversion.roots import Root
from tradewind.plugins.solvers.inversion.spectrum import Sketch, spectrum
from tradewind.plugins.solvers.options import AnalyticalOptions
from tradewind.testing import LinearModel, VectorControl
from tradewind.testing.model import days

FORMS = ({"form": "information"}, {"form": "gain"}, {"form": "low-rank", "rank": 10_000})
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def positive(n, seed=0):
    root = draw(n, n, seed=seed)
    return root @ root.T / n + 0.1 * torch.eye(n, dtype=torch.float64)


def normal_problem(n=12, sizes=(9, 0, 7), dense=False):
    windows = dict(zip(days(len(sizes)), sizes, strict=True))
    model = LinearModel(
        {w: draw(m, n, seed=i) for i, (w, m) in enumerate(windows.items())},
        {w: draw(m, seed=20 + i) for i, (w, m) in enumerate(windows.items())},
    )
    noise = {
        m: DenseCovariance(positive(m, m)) if dense else DiagonalCovariance(draw(m, seed=m).square() + 0.1)
        for m in sizes
        if m
    }
    seen = {w: Observations(draw(m, seed=40 + i), noise.get(m)) for i, (w, m) in enumerate(windows.items())}
    return model, VectorControl(draw(n, seed=60), DenseCovariance(positive(n, 61))), seen


def rodgers(model, control, seen):
    """Return mean, S and A by dense inverses of everything at once (Rodgers, 2000, eq. 2.27 and 4.3)."""
    filled = [w for w in model.windows if len(seen[w])]
    k = np.concatenate([model.jacobians[w].numpy() for w in filled])
    d = np.concatenate([(seen[w].y - model(control.prior, w)).numpy() for w in filled])
    r = np.zeros((len(k), len(k)))
    begin = 0
    for w in filled:
        m = len(seen[w])
        r[begin : begin + m, begin : begin + m] = seen[w].covariance.apply(torch.eye(m).double()).numpy()
        begin += m
    prior = np.linalg.inv(control.covariance.matrix.numpy())
    s = np.linalg.inv(k.T @ np.linalg.inv(r) @ k + prior)
    return control.prior.numpy() + s @ k.T @ np.linalg.inv(r) @ d, s, np.eye(len(prior)) - s @ prior


@pytest.mark.parametrize("dense", [False, True], ids=["independent", "correlated"])
@pytest.mark.parametrize("options", FORMS, ids=lambda o: o["form"])
def test_every_form_gives_the_posterior_of_the_textbook(inversions, options, dense):
    model, control, seen = normal_problem(dense=dense)
    found = inversions.solve(model, control, seen, **options)
    mean, s, a = rodgers(model, control, seen)
    np.testing.assert_allclose(found.mean, mean, **CLOSE)
    np.testing.assert_allclose(found.covariance, s, **CLOSE)
    np.testing.assert_allclose(found.averaging_kernel, a, **CLOSE)
    np.testing.assert_allclose(found.sensitivity, np.diag(a), **CLOSE)
    assert found.dofs == pytest.approx(np.trace(a), rel=1e-10)


@pytest.mark.parametrize("gamma", [0.2, "auto"])
@pytest.mark.parametrize("kind", ["scaled", "lognormal"])
def test_forms_agree_whatever_the_weight_and_the_prior(inversions, kind, gamma):
    control = inversions.both(getattr(inversions, kind)(5, 0.3), inversions.added(2, 2.0))
    model, seen = inversions.problem(control, (6, 8), seed=11, scale=3.0)
    first, *others = (
        inversions.solve(model, control, seen, gamma=gamma, convergence=1e-12, **options) for options in FORMS
    )
    for other in others:
        torch.testing.assert_close(other.mean, first.mean, **CLOSE)
        torch.testing.assert_close(other.covariance, first.covariance, **CLOSE)
        torch.testing.assert_close(other.averaging_kernel, first.averaging_kernel, **CLOSE)


@pytest.mark.parametrize("options", FORMS, ids=lambda o: o["form"])
def test_the_covariance_is_symmetric_to_the_bit(inversions, options):
    model, control, seen = normal_problem()
    covariance = inversions.solve(model, control, seen, **options).covariance
    assert torch.equal(covariance, covariance.T)


def test_the_batch_is_rounding(inversions):
    model, control, seen = normal_problem()
    one, other = (inversions.solve(model, control, seen, batch=b) for b in (2, 4096))
    torch.testing.assert_close(one.mean, other.mean, rtol=1e-12, atol=1e-12)


def test_how_k_is_made_is_rounding(inversions):
    model, control, seen = normal_problem()
    ways = ("auto", "adjoint", "runs", "one-by-one")
    first, *others = (inversions.solve(model, control, seen, jacobian=way).mean for way in ways)
    for other in others:
        torch.testing.assert_close(other, first, rtol=1e-12, atol=1e-12)


# ---------------------------------------------------------------------- low rank
def low(k, prior, rank, gamma=1.0, **options):
    return low_rank_form(k.T @ k, k.T @ draw(len(k), seed=5), prior, gamma, Sketch(rank, **options))


def test_directions_that_are_seen_are_enough():
    # three observations see three directions of forty
    k, prior = draw(3, 40), DenseCovariance(positive(40))
    found, told = low(k, prior, 3)
    exact = information_form(k.T @ k, k.T @ draw(3, seed=5), prior)
    torch.testing.assert_close(found.increment, exact.increment, **CLOSE)
    torch.testing.assert_close(found.covariance, exact.covariance, **CLOSE)
    torch.testing.assert_close(found.averaging_kernel, exact.averaging_kernel, **CLOSE)
    assert told.values.shape == (3,)


@pytest.mark.parametrize("rank", [1, 5, 15])
def test_what_is_left_out_counts_as_unseen(rank):
    k, prior = draw(30, 25), DenseCovariance(positive(25))
    found, _ = low(k, prior, rank)
    exact = information_form(k.T @ k, k.T @ draw(30, seed=5), prior)
    assert torch.linalg.eigvalsh(found.covariance - exact.covariance).min() >= -1e-10
    assert found.sensitivity.sum() <= exact.averaging_kernel.trace() + 1e-10
    assert torch.linalg.eigvalsh(prior.matrix - found.covariance).min() >= -1e-10


def test_more_directions_are_nearer():
    k, prior = draw(30, 25), DenseCovariance(positive(25))
    exact = information_form(k.T @ k, k.T @ draw(30, seed=5), prior).covariance
    apart = [float((low(k, prior, rank)[0].covariance - exact).abs().max()) for rank in (2, 8, 16, 25)]
    assert apart == sorted(apart, reverse=True)
    assert apart[-1] < 1e-10


def test_the_largest_eigenvalues_are_found():
    k, prior = draw(40, 30), DenseCovariance(positive(30))
    hessian = k.T @ k
    whole = spectrum(hessian, k.T @ draw(40, seed=5), prior).values
    part = spectrum(hessian, k.T @ draw(40, seed=5), prior, Sketch(6)).values
    torch.testing.assert_close(part[-3:], whole[-3:], rtol=1e-5, atol=0.0)
    # an approximation from below
    assert bool((part <= whole[-6:] * (1 + 1e-12)).all())


def test_it_tells_what_it_leaves_out(inversions):
    model, control, seen = normal_problem()
    details = inversions.solve(model, control, seen, form="low-rank", rank=4, gamma=0.5).details
    k = torch.cat(
        [
            model.jacobians[w] / seen[w].covariance.variance.sqrt()[:, None]
            for w in model.windows
            if len(seen[w])
        ]
    )
    root = torch.linalg.cholesky(control.covariance.matrix)
    values = torch.linalg.eigvalsh(root.T @ k.T @ k @ root)
    assert details["least_eigenvalue"] == pytest.approx(0.5 * float(values[-4]), rel=1e-2)


def test_other_seeds_draw_other_directions():
    k, prior = draw(30, 25), DenseCovariance(positive(25))
    one, other = (low(k, prior, 3, seed=s, oversampling=0)[1].vectors for s in (0, 1))
    assert not torch.equal(one, other)


# ---------------------------------------------------------------------- roots, and large problems
@pytest.mark.parametrize(
    "prior",
    [
        DiagonalCovariance(torch.tensor([1.0, 4.0, 9.0, 16.0]).double()),
        BlockCovariance(
            [
                DiagonalCovariance(torch.tensor([1.0, 2.0]).double()),
                DiagonalCovariance(torch.tensor([3.0, 4.0]).double()),
            ]
        ),
        BlockCovariance(
            [DiagonalCovariance(torch.tensor([1.0, 2.0]).double()), DenseCovariance(positive(2))]
        ),
        KroneckerCovariance(
            DiagonalCovariance(torch.tensor([1.0, 2.0]).double()),
            DiagonalCovariance(torch.tensor([3.0, 4.0]).double()),
        ),
        KroneckerCovariance(
            DenseCovariance(positive(2)), DiagonalCovariance(torch.tensor([3.0, 4.0]).double())
        ),
        DenseCovariance(positive(4)),
    ],
)
def test_both_sides_are_multiplied_by_a_root_of_the_prior(prior):
    matrix, root = positive(4, 7), Root(prior)
    sa = prior.apply(torch.eye(4, dtype=torch.float64))
    # traces of products do not depend on which root it is
    inner = root.inward(matrix)
    assert float(inner.trace()) == pytest.approx(float((sa @ matrix).trace()), rel=1e-12)
    torch.testing.assert_close(root.outward(inner.clone()), sa @ matrix @ sa, rtol=1e-11, atol=1e-12)


def test_the_kernel_of_a_large_problem_is_known_by_its_diagonal(monkeypatch):
    monkeypatch.setattr("tradewind.plugins.solvers.inversion.normal.WRITTEN", 3)
    monkeypatch.setattr("tradewind.plugins.solvers.inversion.normal.ROWS", 2)
    s, h = positive(5), positive(5, 3)
    kernel, diagonal = kernels(s, h, 0.5)
    assert kernel is None
    torch.testing.assert_close(diagonal, 0.5 * (s @ h).diagonal())


@pytest.mark.parametrize(
    "options",
    [
        {"nudge": 0.5},
        {"carry_covariance": True},
        {"form": "other"},
        {"rank": 0},
        {"batch": 0},
        {"every": "0h"},
    ],
)
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(ValidationError):
        AnalyticalOptions(**options)
