"""Driver (c): 4D-Var written in Fortran, beside the same loop in Python and the exact answer."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tradewind.bench.fortran.derivatives import CONFIGS, read
from tradewind.couplers.ranks.parallel import Serial
from tradewind.hosting.derivatives import What
from tradewind.hosting.session import Session

SOURCE = Path(__file__).parents[3] / "fortran_stubs" / "drivers" / "fourdvar.f90"
STEPS, MEMORY, ITERATIONS = 6, 6, 5
PRIOR_ERROR, ERROR, STEP = 0.5, 0.2, 21600.0


def wave(function, factor, cells, phase=0.0):
    return np.array([function(factor * float(i) + phase) for i in range(1, cells + 1)])


def dot(a, b):
    """Return the sum of products, added one after the other, as the program does."""
    total = 0.0
    for product in (a * b).tolist():
        total += product
    return total


class Problem:
    """What the program makes up, and its cost and gradient, through the same calls in Python."""

    def __init__(self, config: Path, cells: int) -> None:
        self.session, self.cells = Session(str(config), Serial()), cells
        self.part = self.session.component("model")
        self.weights = np.where(np.arange(1, cells + 1) % 2 == 1, 1 / ERROR**2, 0.0)
        self.prior = 8 + wave(math.sin, 1.0, cells)
        self.observed = self.go(self.prior + PRIOR_ERROR * wave(math.cos, 3.0, cells))
        for k in range(STEPS):
            self.observed[k] = self.observed[k] + ERROR * wave(math.sin, 7.0, cells, 11.0 * (k + 1))

    def go(self, x):
        self.session.record(True)
        self.part.put(What.VALUE, "x", x)
        states = np.empty((STEPS, self.cells))
        for k in range(STEPS):
            self.part.run(k * STEP, STEP)
            self.part.get(What.VALUE, "x", states[k])
        return states

    def cost(self, x):
        self.states = self.go(x)
        total = dot(x - self.prior, x - self.prior) / PRIOR_ERROR**2 / 2
        for now, seen in zip(self.states, self.observed, strict=True):
            total += dot(self.weights * (now - seen), now - seen) / 2
        return total

    def gradient(self, x):
        found = np.empty(self.cells)
        for now, seen in reversed(list(zip(self.states, self.observed, strict=True))):
            self.part.put(What.ADJOINT, "x", self.weights * (now - seen))
            self.part.adjoint()
        self.part.get(What.ADJOINT, "x", found)
        return found + (x - self.prior) / PRIOR_ERROR**2


def minimised(problem, most):
    """Return the analysis: the program's L-BFGS, line by line."""
    x, pairs = problem.prior, []
    value, gradient = problem.cost(x), problem.gradient(x)
    first = math.sqrt(dot(gradient, gradient))
    for _ in range(most):
        direction, length = -towards(gradient, pairs), 1.0 if pairs else PRIOR_ERROR**2 / 10
        while (lower := problem.cost(x + length * direction)) > value + 1e-4 * length * dot(
            gradient, direction
        ):
            length /= 2
        new = problem.gradient(x + length * direction)
        pairs = [(length * direction, new - gradient), *pairs][:MEMORY]
        x, value, gradient = x + length * direction, lower, new
        if math.sqrt(dot(gradient, gradient)) <= 1e-8 * first:
            break
    return x


def towards(gradient, pairs):
    q, alphas = gradient, []
    for moved, turned in pairs:
        alphas.append(dot(moved, q) / dot(turned, moved))
        q = q - alphas[-1] * turned
    if pairs:
        moved, turned = pairs[0]
        q = q * (dot(moved, turned) / dot(turned, turned))
    for (moved, turned), alpha in reversed(list(zip(pairs, alphas, strict=True))):
        q = q + moved * (alpha - dot(turned, q) / dot(turned, moved))
    return q


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fourdvar")
    for name, text in CONFIGS.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture
def fourdvar(compile_host, launch, hosting, configs, tmp_path):
    """Run the program on some cases; return what it has found in each."""
    parallel = hosting.mpiexec is not None
    program = compile_host(SOURCE, "-cpp", *(["-DMPI"] if parallel else []))

    def run(*cases, iterations=ITERATIONS, ranks=0):
        words = [word for name, way in cases for word in (configs / f"{name}.yaml", way)]
        launch(program, tmp_path / "found", iterations, *words, ranks=ranks, timeout=280)
        return read(tmp_path / "found")

    return run


def test_the_loop_in_fortran_is_that_in_python(fourdvar, configs):
    lorenz, by_session, shift, learned = fourdvar(
        ("lorenz", "run"), ("lorenz", "advance"), ("shift", "run"), ("learned", "run")
    )
    expected = minimised(Problem(configs / "lorenz.yaml", 20), ITERATIONS)
    assert np.array_equal(lorenz.analysis, expected)
    assert np.array_equal(by_session.analysis, expected)
    np.testing.assert_allclose(shift.analysis, exact_answer(), rtol=1e-9)
    for found in (lorenz, by_session, shift, learned):
        assert found.after < 0.3 * found.before
        assert max(found.dot_test, found.dot_test_of_library) <= 1e-12
        assert found.taylor_slope == pytest.approx(2.0, abs=0.02)


def exact_answer():
    """Return the minimum for the model that shifts 3 rows of 4 cells by a column: the normal equations."""
    turn = np.kron(np.eye(3), np.roll(np.eye(4), 1, axis=0))
    weights = np.diag(np.where(np.arange(1, 13) % 2 == 1, 1 / ERROR**2, 0.0))
    prior = 8 + wave(math.sin, 1.0, 12)
    truth = prior + PRIOR_ERROR * wave(math.cos, 3.0, 12)
    hessian, right, power = np.eye(12) / PRIOR_ERROR**2, np.zeros(12), np.eye(12)
    for k in range(1, STEPS + 1):
        power = turn @ power
        seen = power @ truth + ERROR * wave(math.sin, 7.0, 12, 11.0 * k)
        hessian += power.T @ weights @ power
        right += power.T @ weights @ (seen - power @ prior)
    return prior + np.linalg.solve(hessian, right)


@pytest.mark.mpi
@pytest.mark.slow
def test_ranks_find_the_same_bits(fourdvar, configs):
    """Three ranks, of which the second has no cells."""
    (found,) = fourdvar(("shift", "run"), iterations=1, ranks=3)
    assert np.array_equal(found.analysis, minimised(Problem(configs / "shift.yaml", 12), 1))
    assert max(found.dot_test, found.dot_test_of_library) <= 1e-12
    assert found.taylor_slope == pytest.approx(2.0, abs=0.02)


@pytest.mark.mpi
@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_ranks_find_the_same_bits_everywhere(fourdvar, ranks):
    cases = (("lorenz", "run"), ("lorenz", "advance"), ("learned", "run"))
    alone, together = (fourdvar(*cases, iterations=1, ranks=n) for n in (1, ranks))
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.analysis, other.analysis)
        assert (one.dot_test, one.taylor_slope) == (other.dot_test, other.taylor_slope)
