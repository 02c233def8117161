"""One matrix from every source: adjoint, runs together and alone, runs of the model, a file, footprints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tradewind.assembly import assemble
from tradewind.findings.jacobians import write_jacobian
from tradewind.plugins.solvers.jacobians import Perturbed, Way, dense, rows

EXAMPLE = Path(__file__).parents[3] / "examples" / "permian.yaml"
COARSE = (
    "components.transport.run_as=reference",
    "components.transport.options.spacing=2.5",
    "components.transport.options.substep=1800",
    "run.stop=1996-01-16T06:00",
)


def modelled(*overrides):
    """Return the example on a coarse grid, with one window."""
    return assemble(EXAMPLE, [*COARSE, *overrides]).model()


@pytest.fixture(scope="module")
def model():
    return modelled()


@pytest.fixture(scope="module")
def window(model):
    return model.windows[0]


@pytest.fixture(scope="module")
def operator(model, window):
    return model.linearize(model.control.prior, window)


@pytest.fixture(scope="module")
def exact(operator):
    return dense(operator, Way.RUNS)


def far(found, exact):
    return float((found - exact).norm() / exact.norm())


def test_there_is_something_to_compare(exact):
    assert exact.shape[0] > 10
    assert exact.shape[1] > 10
    assert int(exact.ne(0).any(0).sum()) > 10


@pytest.mark.parametrize("way", [Way.ADJOINT, Way.ONE_BY_ONE, Way.AUTO])
def test_rows_and_columns_make_the_same_matrix(operator, exact, way):
    assert far(dense(operator, way), exact) < 1e-12
    assert far(torch.cat(list(rows(operator, way, 64))), exact) < 1e-12


def test_runs_of_the_model_make_it_without_a_derivative(model, window, exact):
    prior = model.control.prior
    perturbed = Perturbed(model, prior, window, model(prior, window))
    # differences of numbers near 1800 ppb
    assert far(dense(perturbed, Way.MODEL_RUNS), exact) < 1e-8
    y = torch.eye(len(exact), dtype=torch.float64)[:3]
    assert far(perturbed.adjoint(y), exact[:3]) < 1e-8


def test_a_file_answers_as_the_model_that_wrote_it(model, window, exact, tmp_path):
    path = tmp_path / "K.nc"
    write_jacobian(model, path)
    stored = modelled(
        "components.transport.run_as=surrogate",
        "components.transport.surrogate=stored-jacobian",
        f"components.transport.surrogate_options={{file: {path}}}",
    )
    answer = stored.linearize(stored.control.prior, window)
    assert far(dense(answer, Way.RUNS), exact) < 1e-12
    assert far(dense(answer, Way.ADJOINT), exact) < 1e-12
    prior = model.control.prior
    assert torch.allclose(stored(prior, window), model(prior, window), rtol=1e-12, atol=0.0)
