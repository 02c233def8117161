"""The Lorenz-95 cases of OOPS, beside its numbers and beside dense matrices that numpy made."""

from __future__ import annotations

from math import comb
from pathlib import Path

import numpy as np
import pytest

from tradewind.bench.assimilation import oops
from tradewind.bench.assimilation.lorenz95 import FOUR_D_VAR, Folder, rounded

N, STEP, SIGMA = 40, 0.0125, float(np.float32(0.4))


# ---------------------------------------------------------------------- the model once more
def slope(x):
    return (np.roll(x, -1, 0) - np.roll(x, 2, 0)) * np.roll(x, 1, 0) - x + 8.0


def step(x, h=STEP):
    k1 = slope(x)
    k2 = slope(x + h / 2 * k1)
    k3 = slope(x + h / 2 * k2)
    k4 = slope(x + h * k3)
    return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def states(x, steps):
    """Return a start and the states after each step, shape ``(steps + 1, ...)``."""
    out = [x]
    for _ in range(steps):
        out.append(step(out[-1]))
    return np.stack(out)


def tangents(x, steps):
    """Return the derivatives of `states`, shape ``(steps + 1, 40, 40)``: columns by a complex step."""
    moved = states((x[:, None] + 1e-30j * np.eye(N)).astype(complex), steps)
    return moved.imag / 1e-30


def started(point, value):
    x = np.full(N, 8.0)
    x[point] = value
    return x


# ---------------------------------------------------------------------- forward runs and 3D-Var
def test_forward_runs_end_where_those_of_oops_do():
    assert oops.forward_error() < 1e-13


@pytest.mark.shared
def test_forward_runs_pass_through_the_stored_fields(shared):
    assert oops.forward_error(shared / "reference") < 1e-13


def test_3d_var_has_the_costs_of_oops():
    found = oops.three_d_var_errors()
    assert len(found) == 12
    assert found["exact_j"] < 1e-9
    assert max(found["exact_jb"], found["exact_jo"]) < 1e-7
    assert max(error for name, error in found.items() if not name.startswith("exact")) < 1e-10


def test_derivatives_pass_what_oops_asks_of_any_model():
    found = oops.derivative_errors(12.0)
    assert found["tangent_error"] < 1e-7
    assert found["adjoint_error"] < 1e-14
    assert found["zero_error"] == 0.0
    assert found["scaling_error"] < 1e-14


# ---------------------------------------------------------------------- 4D-Var
def background():
    gap = abs(np.arange(N)[:, None] - np.arange(N))
    return 0.36 * np.exp(-(np.minimum(gap, N - gap) ** 2) / 2)


def observations():
    """Return values of every second point, every 3 h from 6 h: shape ``(8, 20)``, six digits."""
    truth = states(rounded(states(started(9, 9.0), 2)[-1], 15), 16)
    return np.stack([rounded(x, 6) for x in truth[2::2, ::2]])


def dense_four_d_var():
    """Return (Jb, Jo, Jc) at the start and after two loops of ten conjugate gradients, and x."""
    first = rounded(states(started(19, 7.0), 2)[-1], 15)
    y, root = observations(), np.linalg.cholesky(background())
    # a cut-off of two steps: the weights of Dolph and Chebyshev are binomial
    weights = np.array([comb(16, k) / 4.0**8 for k in range(17)]) - (np.arange(17) == 8)
    v, rows = np.zeros(N), []
    while True:
        x = first + root @ v
        path = states(x, 16)
        d, jump = (y - path[2::2, ::2]).ravel() / SIGMA, -10.0 * weights @ path
        rows.append((v @ v / 2, d @ d / 2, jump @ jump / 2))
        if len(rows) == 3:
            return rows, x
        m = tangents(x, 16)
        k = np.concatenate([m[2::2, ::2].reshape(-1, N) / SIGMA, 10.0 * np.tensordot(weights, m, 1)]) @ root
        v = v + gradients(np.eye(N) + k.T @ k, k.T @ np.concatenate([d, jump]) - v)


def gradients(a, b):
    """Return the tenth iterate of conjugate gradients."""
    s, r, p = 0 * b, b, b
    for _ in range(10):
        alpha = (r @ r) / (p @ a @ p)
        s, before, r = s + alpha * p, r, r - alpha * (a @ p)
        p = r + (r @ r) / (before @ before) * p
    return s


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = Folder(Path(tmp_path_factory.mktemp("oops")))
    return oops.Run.of(FOUR_D_VAR, folder, oops.AS_THERE, [oops.DIGITAL_FILTER])


def test_4d_var_with_a_digital_filter_is_that_of_dense_matrices(run):
    rows, x = dense_four_d_var()
    loops = [e for e in run.posterior.details["iterations"] if not e["inner"]]
    for entry, (jb, jo, jc) in zip(loops, rows, strict=True):
        assert 0.5 * entry["prior"] == pytest.approx(jb, rel=1e-10)
        assert 0.5 * entry["observations"] == pytest.approx(jo + jc, rel=1e-10)
    np.testing.assert_allclose(run.state.numpy(), x, rtol=1e-10)


def test_its_terms_are_told_apart(run):
    rows, _ = dense_four_d_var()
    for when, (jb, jo, jc) in (("prior", rows[0]), ("posterior", rows[2])):
        found = run.terms(when)
        assert [found[k] for k in ("jb", "jo", "jc")] == pytest.approx([jb, jo, jc], rel=1e-9)
        assert found["j"] == pytest.approx(jb + jo + jc, rel=1e-10)


def test_160_values_are_observed(run):
    (seen,) = run.seen.values()
    assert (seen.coordinates["stream"] == "points").sum() == 160
    assert len(seen) == 200
    assert set(seen.covariance.diagonal().tolist()) == {SIGMA**2, 0.01}
