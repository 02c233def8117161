"""A column network in place of a step: fields by name, and no answer outside its domain unasked."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import torch

from tradewind.assembly.components import Insisting
from tradewind.couplers.coupling.component import Interval, StepCall
from tradewind.couplers.coupling.fields import Spec, State, Variable
from tradewind.couplers.grids import Grid
from tradewind.errors import DomainError, SpecError, UnitsError
from tradewind.plugins.network.options import StandInOptions
from tradewind.plugins.network.surrogate import NetworkStandIn
from tradewind.surrogates.columns.domain import fit_columns
from tradewind.surrogates.columns.files import describe_columns, load_columns, save_columns
from tradewind.surrogates.columns.header import ColumnField, ColumnHeader, features
from tradewind.surrogates.columns.network import MLP

HOUR = Interval(datetime(2000, 1, 1), datetime(2000, 1, 1) + timedelta(hours=1))
GRID = Grid.points([0.0, 90.0, 180.0], [0.0, 0.0, 0.0])
X, Y = Variable("x", "K", GRID), Variable("y", "m", GRID)
FORCING = Variable("forcing", "1")
FIELDS = {
    "x": ColumnField(name="x", units="K"),
    "y": ColumnField(name="y", units="m"),
    "forcing": ColumnField(name="forcing", units="1"),
}


class Model:
    """A model that remembers x, takes y, and is tuned by one number for all columns."""

    def __init__(self, **changes) -> None:
        known = {"imports": (Y,), "exports": (X,), "state": (X,), "parameters": (FORCING,)}
        self.spec = Spec(**known | changes)

    def describe(self) -> Spec:
        return self.spec


@pytest.fixture
def stand_in(tmp_path):
    """Return a function that makes a surrogate with these inputs and outputs."""

    def make(inputs=("y", "x", "forcing"), outputs=("x",), model=None, **changes):
        torch.manual_seed(0)
        fields = FIELDS | changes
        network = MLP([fields[n] for n in inputs], [fields[n] for n in outputs], widths=(4,))
        x = torch.randn(features(network.inputs), 300)
        domain = fit_columns(x).bounds()
        save_columns(
            tmp_path / "n.safetensors", network, ColumnHeader(**describe_columns(network), domain=domain)
        )
        return NetworkStandIn(StandInOptions(checkpoint=tmp_path / "n.safetensors"), model or Model())

    return make


def call(x: torch.Tensor) -> StepCall:
    members = len(x)
    return StepCall(
        "model", State({"x": x}, {"seed": 7}), {"y": 0.5 * torch.ones(members, 3)},
        {"forcing": 0.1 * torch.arange(members)}, HOUR,
    )  # fmt: skip


def test_it_takes_imports_state_and_parameters_by_name(stand_in, tmp_path):
    surrogate, x = stand_in(), torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    step = surrogate.tradewind_step(call(x))
    network, _ = load_columns(tmp_path / "n.safetensors")
    expected = network(torch.tensor([[0.5], [0.6], [0.1]])).item()  # member 1, cell 2
    assert step.exports["x"][1, 2].item() == pytest.approx(expected, rel=1e-6)
    assert torch.equal(step.state.fields["x"], step.exports["x"])
    assert step.state.extras == {"seed": 7}


def test_it_tells_which_members_lie_outside(stand_in):
    step = stand_in().tradewind_step(call(torch.tensor([[0.1, 0.2, 0.3], [0.1, 99.0, 0.3]])))
    assert step.valid.tolist() == [True, False]


def test_without_a_guard_it_does_not_answer_outside(stand_in):
    insisting = Insisting(stand_in())
    inside, outside = torch.zeros(1, 3), torch.full((1, 3), 99.0)
    assert insisting.tradewind_step(call(inside)).valid.all()
    with pytest.raises(DomainError, match="1 of 1 members"):
        insisting.tradewind_step(call(outside))


def test_an_input_that_the_component_does_not_have_is_refused(stand_in):
    with pytest.raises(SpecError, match="its input 'z'"):
        stand_in(inputs=("z",), z=ColumnField(name="z", units="K"))


def test_all_that_the_component_makes_has_to_be_made(stand_in):
    with pytest.raises(SpecError, match="it makes x, the component makes x, y"):
        stand_in(model=Model(exports=(X, Y)))


def test_other_units_are_refused(stand_in):
    with pytest.raises(UnitsError, match="'degC'"):
        stand_in(x=ColumnField(name="x", units="degC"))


def test_units_in_other_words_are_the_same(stand_in):
    assert stand_in(y=ColumnField(name="y", units="metre")).inputs[0] == ("import", "y")


def test_other_lengths_are_refused(stand_in):
    with pytest.raises(SpecError, match="extra lengths"):
        stand_in(y=ColumnField(name="y", units="m", size=3))


def test_several_grids_are_refused(stand_in):
    other = Variable("y", "m", Grid.points([0.0, 180.0], [0.0, 0.0]))
    with pytest.raises(SpecError, match="several grids"):
        stand_in(model=Model(imports=(other,)))
