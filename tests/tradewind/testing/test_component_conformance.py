"""The kit passes a component that keeps the contract, and catches each way of breaking it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Spec, State, Variable
from tradewind.couplers.grids import Grid
from tradewind.errors import DataError
from tradewind.testing import ComponentConformance

GRID = Grid.latlon([30.5, 31.5], np.arange(-102.5, -99, 1.0))


class Persistence:
    """What was in the air stays, and what is emitted comes on top."""

    def describe(self) -> Spec:
        """Return the spec."""
        amount, flux = Variable("amount", "kg m-2", GRID), Variable("flux", "kg m-2 s-1", GRID)
        return Spec(imports=(flux,), exports=(amount,), state=(amount,), linear=True, step_seconds=600.0)

    def initialize(self, spec, layouts, members) -> State:
        """Return clean air."""
        return State({"amount": torch.zeros(members, layouts["amount"].n_local, dtype=torch.float64)})

    def step(self, state, imports, parameters, interval: Interval):
        """Return the amount at the end."""
        amount = state.fields["amount"] + imports["flux"] * interval.seconds
        return {"amount": amount}, replace(state, fields={"amount": amount})

    def finalize(self) -> None:
        """Hold nothing."""


class TestPersistence(ComponentConformance):
    def component(self):
        return Persistence()


class Growth(Persistence):
    """Grows by its square and a parameter: differentiable, not linear, on two levels."""

    def describe(self):
        spec = super().describe()
        levels = replace(spec.state[0], extra=(("level", 2),))
        return replace(
            spec, state=(levels,), exports=(levels,), parameters=(Variable("rate", "1"),), linear=False
        )

    def initialize(self, spec, layouts, members):
        return State({"amount": torch.ones(members, 2, layouts["amount"].n_local, dtype=torch.float64)})

    def step(self, state, imports, parameters, interval):
        before = state.fields["amount"]
        rate = parameters["rate"][:, None, None]
        amount = before + rate * before.square() + imports["flux"][:, None]
        return {"amount": amount}, replace(state, fields={"amount": amount})


class TestGrowth(ComponentConformance):
    def component(self):
        return Growth()


class Strict(Persistence):
    """Refuses NaN instead of letting it through."""

    def step(self, state, imports, parameters, interval):
        if imports["flux"].isnan().any():
            raise DataError("flux holds NaN")
        return super().step(state, imports, parameters, interval)


class TestStrict(ComponentConformance):
    def component(self):
        return Strict()


# ---------------------------------------------------------------------- broken ones
class Remembers(Persistence):
    """Keeps a count that its state does not hold."""

    def __init__(self):
        self.calls = 0

    def step(self, state, imports, parameters, interval):
        self.calls += 1
        flux = {"flux": imports["flux"] * self.calls}
        return super().step(state, flux, parameters, interval)


class Overwrites(Persistence):
    """Adds to its state in place."""

    def step(self, state, imports, parameters, interval):
        state.fields["amount"].add_(imports["flux"])
        return super().step(state, imports, parameters, interval)


class OverwritesImports(Persistence):
    """Scales its import in place."""

    def step(self, state, imports, parameters, interval):
        imports["flux"].mul_(interval.seconds)
        return super().step(state, imports, parameters, interval)


class Mixes(Persistence):
    """Takes the mean over members."""

    def step(self, state, imports, parameters, interval):
        flux = {"flux": imports["flux"].mean(0, keepdim=True).expand_as(imports["flux"])}
        return super().step(state, flux, parameters, interval)


class Fills(Persistence):
    """Fills NaN with zero."""

    def step(self, state, imports, parameters, interval):
        return super().step(state, {"flux": imports["flux"].nan_to_num()}, parameters, interval)


class Clips(Persistence):
    """Says that it is linear, and clips."""

    def step(self, state, imports, parameters, interval):
        return super().step(state, {"flux": imports["flux"].clamp(min=0.9)}, parameters, interval)


class HalfPrecise(Persistence):
    """Exports single precision."""

    def step(self, state, imports, parameters, interval):
        exports, state = super().step(state, imports, parameters, interval)
        return {"amount": exports["amount"].float()}, state


class Undeclared(Persistence):
    """Exports more than it says."""

    def step(self, state, imports, parameters, interval):
        exports, state = super().step(state, imports, parameters, interval)
        return {**exports, "total": exports["amount"]}, state


class Shapeless(Persistence):
    """Forgets the member axis at the start."""

    def initialize(self, spec, layouts, members):
        return State({"amount": torch.zeros(layouts["amount"].n_local, dtype=torch.float64)})


class Unitless(Persistence):
    """Leaves its units empty."""

    def describe(self):
        spec = super().describe()
        return replace(spec, imports=(replace(spec.imports[0], units=""),))


class Twice(Persistence):
    """Declares an import twice."""

    def describe(self):
        spec = super().describe()
        return replace(spec, imports=spec.imports * 2)


class Changes(Persistence):
    """Describes itself otherwise when asked again."""

    def __init__(self):
        self.asked = 0

    def describe(self):
        self.asked += 1
        return replace(super().describe(), step_seconds=float(self.asked))


class OwnDerivatives(Persistence):
    """Brings its own tangent and gradient, and they are right."""

    factor = 1.0

    def jvp(self, call, tangents):
        parts = {"state": 1.0, "import": call.interval.seconds}
        amount = sum(parts[role] * t for (role, _), t in tangents.items())
        return {("export", "amount"): amount, ("state", "amount"): amount}

    def vjp(self, call, cotangents):
        amount = self.factor * sum(cotangents.values())
        return {("state", "amount"): amount, ("import", "flux"): amount * call.interval.seconds}


class TestOwnDerivatives(ComponentConformance):
    def component(self):
        return OwnDerivatives()


class WrongAdjoint(OwnDerivatives):
    """Brings a gradient that is a thousandth too large."""

    factor = 1.001


class WrongTangent(Persistence):
    """Brings tangent and gradient that agree with each other and not with the step."""

    def jvp(self, call, tangents):
        amount = 2 * tangents[("state", "amount")]
        return {("export", "amount"): amount, ("state", "amount"): amount}

    def vjp(self, call, cotangents):
        return {("state", "amount"): 2 * sum(cotangents.values())}


class AffineTangent(WrongTangent):
    """Adds a constant to its tangent."""

    def jvp(self, call, tangents):
        return {key: value + 1.0 for key, value in super().jvp(call, tangents).items()}


def on(component):
    class Kit(ComponentConformance):
        def component(self):
            return component()

    return Kit()


@pytest.mark.parametrize(
    ("component", "test", "message"),
    [
        (Remembers, "answers_the_same_twice", "a step taken again: 0.amount differs"),
        (Overwrites, "leaves_what_it_was_given_alone", "step changes what it was given: fields.amount"),
        (OverwritesImports, "leaves_what_it_was_given_alone", "step changes what it was given: flux"),
        (Mixes, "members_do_not_know_of_each_other", "members stepped apart"),
        (Mixes, "a_nan_is_refused_or_shows", "spread to others"),
        (Fills, "a_nan_is_refused_or_shows", "NaN in flux has vanished"),
        (Clips, "superposes_where_it_claims_to", "superposition"),
        (HalfPrecise, "gives_what_it_declares", "float32"),
        (Undeclared, "gives_what_it_declares", "'total'"),
        (Shapeless, "begins_in_the_declared_state", "initial state, amount"),
        (Unitless, "declares_every_variable_once_with_units", "flux has no units"),
        (Twice, "declares_every_variable_once_with_units", "repeat a name"),
        (Changes, "describes_itself_the_same_twice", "differ"),
        (WrongAdjoint, "gradient_is_the_adjoint_of_the_tangent", "adjoint dot product: .* not the transpose"),
        (AffineTangent, "derivatives_are_linear", "zero perturbation: .* affine"),
        (WrongTangent, "tangent_is_the_limit_of_differences", "tangent against differences"),
    ],
)
def test_a_broken_component_is_caught(component, test, message):
    with pytest.raises(AssertionError, match=message):
        getattr(on(component), f"test_{test}")()


def test_a_consistent_pair_passes_the_dot_test_and_so_needs_the_other():
    on(WrongTangent).test_gradient_is_the_adjoint_of_the_tangent()
