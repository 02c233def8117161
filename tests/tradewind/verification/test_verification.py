"""What is right passes every check; each way of breaking it is found, and by the check that it breaks."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import torch

from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.coupling.component import Interval, Step
from tradewind.couplers.coupling.fields import PerMember, Spec, State, Variable
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.errors import DataError
from tradewind.testing import LinearModel, VectorControl
from tradewind.testing.model import days
from tradewind.verification.findings import Outcome, Verification
from tradewind.verification.subjects import ObservedSubject, RunSubject
from tradewind.verification.values import ZeroLength
from tradewind.verification.verify import made_up, of_component, of_derivatives

START, HOUR = datetime(2000, 1, 1), timedelta(hours=1)
CHECKS = {
    "state is a value", "same bits twice", "members alone", "zero perturbation", "tangent is linear",
    "tangent convergence", "adjoint dot product", "gradient (Taylor)",
}  # fmt: skip
AMOUNT, FLUX, RATE = (Variable(n, "1", extra=(("layer", 4),)) for n in ("amount", "flux", "rate"))


class Growth:
    """``a' = a + r a² + f``, with derivatives written by hand."""

    spec = Spec(imports=(FLUX,), exports=(AMOUNT,), state=(AMOUNT,), parameters=(RATE,))

    def describe(self):
        return self.spec

    def initialize(self, spec, layouts, members):
        return State({"amount": torch.linspace(0.5, 2.0, 4, dtype=torch.float64).repeat(members, 1)})

    def step(self, state, imports, parameters, interval):
        amount = state.fields["amount"]
        amount = amount + parameters["rate"] * amount.square() + imports["flux"]
        return {"amount": amount}, State({"amount": amount}, state.extras)

    def finalize(self):
        """Hold nothing."""


class ByHand(Growth):
    """The same, with a tangent and an adjoint of its own."""

    def jvp(self, call, tangents):
        a, r = call.state.fields["amount"], call.parameters["rate"]
        d = {role: tangents.get(key, torch.zeros_like(a)[None]) for role, key in KEYS.items()}
        out = (1.0 + 2.0 * r * a) * d["state"] + a.square() * d["parameter"] + d["import"]
        return {("export", "amount"): out, ("state", "amount"): out}

    def vjp(self, call, cotangents):
        a, r = call.state.fields["amount"], call.parameters["rate"]
        v = sum(cotangents.values())
        return {KEYS["state"]: (1.0 + 2.0 * r * a) * v, KEYS["parameter"]: a.square() * v, KEYS["import"]: v}


KEYS = {"state": ("state", "amount"), "import": ("import", "flux"), "parameter": ("parameter", "rate")}


def taken(component):
    participant = Participant(
        "growth", component, component.describe(), answer_of(component), parameters=PARAMETERS
    )
    return made_up(participant, HOUR, Interval(START, START + HOUR))


def answer_of(component):
    return lambda c: Step(*component.step(c.state, c.imports, c.parameters, c.interval))


PARAMETERS = {"rate": torch.full((1, 4), 0.1, dtype=torch.float64)}


def outcomes(component, outcome, seed=0):
    return {f.check for f in of_component(taken(component), seed) if f.outcome is outcome}


# ---------------------------------------------------------------------- what is right
@pytest.mark.parametrize("component", [Growth(), ByHand()], ids=["torch", "by hand"])
def test_a_component_that_is_right_passes_everything(component):
    assert outcomes(component, Outcome.PASSED) == CHECKS


def test_convergence_is_of_first_order_and_the_slope_is_two():
    found = {f.check: f for f in of_component(taken(Growth()))}
    assert found["tangent convergence"].note == "order 1.00"
    assert found["gradient (Taylor)"].note == "slope 2.00"
    errors = found["tangent convergence"].series["value"]
    assert errors[1] == pytest.approx(errors[0] / 10, rel=0.1)


def test_a_linear_model_converges_at_once():
    class Decay(Growth):
        spec = Spec(exports=(AMOUNT,), state=(AMOUNT,), linear=True)

        def step(self, state, imports, parameters, interval):
            amount = 0.5 * state.fields["amount"]
            return {"amount": amount}, State({"amount": amount})

    found = {f.check: f for f in of_component(taken(Decay()))}
    assert found["tangent convergence"].note == "exact: linear"
    assert found["tangent convergence"].figure < 1e-14
    assert {f.outcome for f in found.values()} == {Outcome.PASSED}


def test_parameters_of_a_linear_model_are_tried_by_themselves():
    class Scaled(Growth):
        spec = Spec(exports=(AMOUNT,), state=(AMOUNT,), parameters=(RATE,), linear=True)

        def step(self, state, imports, parameters, interval):
            amount = parameters["rate"] * state.fields["amount"]
            return {"amount": amount}, State({"amount": amount})

    found = list(of_component(taken(Scaled())))
    assert {f.subject for f in found} == {"growth", "growth, parameters"}
    assert all(f.outcome is Outcome.PASSED for f in found)


# ---------------------------------------------------------------------- what is not
class WrongAdjoint(ByHand):
    """Forgets that the rate enters twice."""

    def vjp(self, call, cotangents):
        out = super().vjp(call, cotangents)
        return out | {KEYS["state"]: out[KEYS["state"]] - call.parameters["rate"] * out[KEYS["import"]]}


class SlightlyWrongAdjoint(ByHand):
    """Off in the ninth digit."""

    def vjp(self, call, cotangents):
        return {key: value * (1.0 + 1e-9) for key, value in super().vjp(call, cotangents).items()}


class WrongTangent(ByHand):
    """Off by a thousandth."""

    def jvp(self, call, tangents):
        return {key: 1.001 * value for key, value in super().jvp(call, tangents).items()}


class AffineTangent(ByHand):
    """Adds a constant."""

    def jvp(self, call, tangents):
        return {key: value + 1e-12 for key, value in super().jvp(call, tangents).items()}


class CurvedTangent(ByHand):
    """Multiplies two perturbations."""

    def jvp(self, call, tangents):
        return {key: value + 1e-9 * value**2 for key, value in super().jvp(call, tangents).items()}


class BlindTangent(ByHand):
    """Says that nothing depends on anything."""

    def jvp(self, call, tangents):
        return {}

    def vjp(self, call, cotangents):
        return {}


class Overwrites(Growth):
    """Adds to its state in place."""

    def step(self, state, imports, parameters, interval):
        state.fields["amount"].add_(imports["flux"])
        return super().step(state, imports, parameters, interval)


class Draws(Growth):
    """Draws from the stream of everybody."""

    def step(self, state, imports, parameters, interval):
        noisy = {"flux": imports["flux"] + 1e-12 * torch.randn(imports["flux"].shape).double()}
        return super().step(state, noisy, parameters, interval)


class Meets(Growth):
    """Takes the mean over members."""

    def step(self, state, imports, parameters, interval):
        return super().step(state, {"flux": imports["flux"].mean(0, keepdim=True)}, parameters, interval)


class Kink(Growth):
    """Has a threshold where it stands."""

    def step(self, state, imports, parameters, interval):
        kinked = {"flux": (imports["flux"] - imports["flux"].detach()).abs()}
        return super().step(state, imports | kinked, parameters, interval)


@pytest.mark.parametrize(
    ("component", "found"),
    [
        (WrongAdjoint(), {"adjoint dot product", "gradient (Taylor)"}),
        (SlightlyWrongAdjoint(), {"adjoint dot product"}),
        (WrongTangent(), {"tangent convergence", "adjoint dot product"}),
        (AffineTangent(), {"zero perturbation"}),
        (CurvedTangent(), {"tangent is linear", "adjoint dot product"}),
        (BlindTangent(), {"tangent convergence"}),
        (Overwrites(), {"state is a value"}),
        (Meets(), {"members alone"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Growth) else "",
)
def test_what_is_broken_is_found(component, found):
    failed = outcomes(component, Outcome.FAILED)
    assert found <= failed
    # a fault of derivatives does not accuse the step, and the other way round
    assert failed - found <= {"adjoint dot product", "gradient (Taylor)", "tangent convergence"}


def test_what_is_drawn_from_outside_of_the_state_is_found():
    assert {"same bits twice", "members alone"} <= outcomes(Draws(), Outcome.FAILED)


def test_a_failure_says_what_to_look_at():
    found = [f for f in of_component(taken(WrongAdjoint())) if f.outcome is Outcome.FAILED]
    assert all(f.advice for f in found)
    assert not Verification("growth", found).passed
    assert next(f for f in found if f.check == "adjoint dot product").figure > 1e-3


def test_every_seed_finds_it():
    assert all("adjoint dot product" in outcomes(WrongAdjoint(), Outcome.FAILED, seed) for seed in range(5))


# ---------------------------------------------------------------------- what does not apply
def test_derivatives_are_skipped_where_the_component_has_none():
    class Opaque(Growth):
        spec = Spec(
            Growth.spec.imports, Growth.spec.exports, Growth.spec.state, (RATE,), differentiable=False
        )

    found = [f for f in of_component(taken(Opaque())) if f.outcome is Outcome.SKIPPED]
    assert {f.check for f in found} == CHECKS - {"state is a value", "same bits twice", "members alone"}
    assert all(f.note for f in found)


def test_a_component_that_takes_nothing():
    class Constant(Growth):
        spec = Spec(exports=(AMOUNT,))

        def initialize(self, spec, layouts, members):
            return State()

        def step(self, state, imports, parameters, interval):
            return {"amount": torch.ones(1, 4, dtype=torch.float64)}, state

    assert outcomes(Constant(), Outcome.PASSED) == {"state is a value", "same bits twice"}
    assert "tangent convergence" in outcomes(Constant(), Outcome.SKIPPED)


def test_what_nothing_depends_on_is_skipped():
    class Deaf(Growth):
        def step(self, state, imports, parameters, interval):
            amount = torch.ones_like(state.fields["amount"])
            return {"amount": amount}, State({"amount": amount})

    skipped = outcomes(Deaf(), Outcome.SKIPPED)
    assert {"tangent convergence", "gradient (Taylor)"} <= skipped


def test_a_model_that_refuses_is_told_in_its_own_words():
    class Refuses(Growth):
        def step(self, state, imports, parameters, interval):
            raise DataError("the river has run dry")

    found = list(of_component(taken(Refuses())))
    told = [f for f in found if f.outcome is Outcome.FAILED]
    assert told
    assert all("the river has run dry" in f.note for f in told)


def test_opaque_memory_goes_with_its_member():
    class Remembers(Growth):
        def initialize(self, spec, layouts, members):
            return State(
                super().initialize(spec, layouts, members).fields, {"files": PerMember("a" * members)}
            )

        def step(self, state, imports, parameters, interval):
            if len(state.extras["files"]) != len(state.fields["amount"]):
                raise DataError("memory of other members")
            return super().step(state, imports, parameters, interval)

    assert outcomes(Remembers(), Outcome.PASSED) == CHECKS


# ---------------------------------------------------------------------- runs and observations
class Alone(Growth):
    """Growth without imports."""

    spec = Spec(exports=(AMOUNT,), state=(AMOUNT,), parameters=(RATE,))

    def step(self, state, imports, parameters, interval):
        return super().step(state, {"flux": 0.0}, parameters, interval)


def run_of(component):
    clock = Clock(START, START + 3 * HOUR, HOUR)
    answer = answer_of(component)
    return CoupledRun(clock, [Participant("growth", component, component.describe(), answer,
                                          parameters=PARAMETERS)], [])  # fmt: skip


def test_a_run_passes_as_its_components_do():
    run = run_of(Alone())
    subject = RunSubject(run, run.start(), Interval(START, START + 3 * HOUR))
    assert subject.steps == 3
    found = list(of_derivatives(subject))
    assert [f.outcome for f in found] == [Outcome.PASSED] * 5


def test_a_beginning_that_is_drawn_anew_is_found():
    class Random(Alone):
        def initialize(self, spec, layouts, members):
            return State({"amount": torch.rand(members, 4, dtype=torch.float64)})

    for component, outcome in ((Alone(), Outcome.PASSED), (Random(), Outcome.FAILED)):
        run = run_of(component)
        assert ZeroLength().of(run, run.start()).outcome is outcome


def test_the_derivative_of_observations_is_held_to_the_model():
    class Stale(LinearModel):
        def linearize(self, x, window):
            return super().linearize(x, window) @ super().linearize(x, window)

    (window,) = days(1)
    given = {window: torch.tensor([[2.0, 1.0], [0.0, 3.0]], dtype=torch.float64)}
    offset = {window: torch.ones(2, dtype=torch.float64)}
    control = VectorControl(torch.zeros(2, dtype=torch.float64),
                            DiagonalCovariance(torch.ones(2, dtype=torch.float64)))  # fmt: skip
    for kind, failed in ((LinearModel, set()), (Stale, {"tangent convergence", "gradient (Taylor)"})):
        subject = ObservedSubject(kind(given, offset), control, window, 1)
        assert {f.check for f in of_derivatives(subject) if f.outcome is Outcome.FAILED} == failed
