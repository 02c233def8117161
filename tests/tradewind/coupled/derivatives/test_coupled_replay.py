"""Derivatives of a run: against numbers worked out by hand, differences, and each other."""

from __future__ import annotations

import pytest
import torch

from tradewind.coupled.derivatives.function import gradient_function
from tradewind.coupled.derivatives.replay import gradients, tangents
from tradewind.couplers.coupling.component import Step
from tradewind.errors import NotDifferentiableError, SpecError


def recorded(run, hours, toys, puts=()):
    """Advance hour by hour, putting what `puts` says at its hour; return the tape."""
    with run.recording() as tape:
        for hour in range(hours):
            for port, when, value in puts:
                if when == hour:
                    run.put(port, value)
            run.advance(toys.at(hour + 1))
    return tape


FLUX, RATE, AMOUNT, LEVEL = "source.flux", "tank.rate", "tank.amount", "tank.level"


# ---------------------------------------------------------------------- by hand
def test_gradients_of_a_tank(make_chain, toys):
    # level(3) = rate (f0 h0-2 + f1 h2-3) = 0.5 (2 f0 + f1): derivatives 1 and 1/2; by the rate 2*3 + 5 = 11
    run, one = make_chain(), torch.ones(1, 4, dtype=torch.float64)
    tape = recorded(run, 3, toys, [(FLUX, 0, 3 * one), (RATE, 0, toys.scalar(0.5)), (FLUX, 2, 5 * one)])
    found = gradients(run, tape, {(LEVEL, toys.at(3)): one[None]})
    assert found[FLUX, toys.at(0)].tolist() == [[[1.0] * 4]]
    assert found[FLUX, toys.at(2)].tolist() == [[[0.5] * 4]]
    assert found[RATE, toys.at(0)].tolist() == [[44.0]]  # 11 in each of four cells
    assert set(found) == {(FLUX, toys.at(0)), (FLUX, toys.at(2)), (RATE, toys.at(0))}


def test_a_put_ends_what_the_one_before_could_do(make_chain, toys):
    run, one = make_chain(), torch.ones(1, 4, dtype=torch.float64)
    tape = recorded(run, 2, toys, [(AMOUNT, 0, one), (AMOUNT, 1, one)])
    found = gradients(run, tape, {(AMOUNT, toys.at(2)): one[None]})
    assert (AMOUNT, toys.at(0)) not in found
    assert found[AMOUNT, toys.at(1)].tolist() == [[[1.0] * 4]]


def test_tangents_at_several_times(make_chain, toys):
    # amount grows by the tangent every hour, level by half of that
    run, one = make_chain(), torch.ones(1, 4, dtype=torch.float64)
    tape = recorded(run, 3, toys, [(FLUX, 0, one)])
    wanted = [(AMOUNT, toys.at(1)), (LEVEL, toys.at(2)), ("tank.inflow", toys.at(3))]
    found = tangents(run, tape, {(FLUX, toys.at(0)): torch.stack([one, 10 * one])}, wanted)
    assert [found[event][:, 0, 0].tolist() for event in wanted] == [[1.0, 10.0], [1.0, 10.0], [1.0, 10.0]]


def test_what_depends_on_nothing_is_zero(make_chain, toys):
    run, one = make_chain(), torch.ones(1, 4, dtype=torch.float64)
    tape = recorded(run, 2, toys, [(FLUX, 1, one)])
    found = tangents(run, tape, {(FLUX, toys.at(1)): one[None]}, [(LEVEL, toys.at(1))])
    assert found[LEVEL, toys.at(1)].tolist() == [[[0.0] * 4]]


def test_a_value_put_for_all_members_gathers_their_gradients(make_chain, toys):
    run = make_chain(members=3)
    tape = recorded(run, 1, toys, [(FLUX, 0, torch.ones(1, 4, dtype=torch.float64))])
    cotangent = torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)[None, :, None].expand(1, 3, 4)
    found = gradients(run, tape, {(LEVEL, toys.at(1)): cotangent})
    assert found[FLUX, toys.at(0)].tolist() == [[[55.5] * 4]]


# ---------------------------------------------------------------------- independent oracles
@pytest.fixture
def leaky(make_chain, toys):
    """A run that is linear in nothing, between two grids, over five hours, with puts at two times."""
    run = make_chain(toys.Leaky, toys.FINE, members=2)
    puts = [
        (FLUX, 0, toys.draw(2, 4, seed=1)),
        (RATE, 0, toys.draw(2, seed=2)),
        (AMOUNT, 0, toys.draw(2, 12, seed=3)),
        (FLUX, 3, toys.draw(2, 4, seed=4)),
    ]
    return run, puts, recorded(run, 5, toys, puts)


def directions(puts, toys, k, seed):
    return {
        (port, toys.at(when)): toys.draw(k, *value.shape, seed=seed + n)
        for n, (port, when, value) in enumerate(puts)
    }


def test_tangents_are_limits_of_differences(leaky, toys):
    run, puts, tape = leaky
    along, event = directions(puts, toys, 1, 10), (LEVEL, toys.at(5))
    found = tangents(run, tape, along, [event])[event][0]
    h, ends = 1e-6, []
    for sign in (1, -1):
        run.rewind(run.start())
        recorded(run, 5, toys, [(p, t, v + sign * h * along[p, toys.at(t)][0]) for p, t, v in puts])
        ends.append(run.get(LEVEL))
    difference = (ends[0] - ends[1]) / (2 * h)
    assert float((found - difference).norm() / difference.norm()) < 1e-8


def test_gradients_are_the_adjoint_of_tangents(leaky, toys):
    run, puts, tape = leaky
    wanted = [(LEVEL, toys.at(5)), (LEVEL, toys.at(2)), (AMOUNT, toys.at(4)), ("tank.inflow", toys.at(1))]
    dx = directions(puts, toys, 3, 20)
    ty = tangents(run, tape, dx, wanted)
    dy = {event: toys.draw(*ty[event].shape, seed=40 + n) for n, event in enumerate(wanted)}
    gx = gradients(run, tape, dy)
    for k in range(3):
        left = sum(float((ty[e][k] * dy[e][k]).sum()) for e in wanted)
        right = sum(float((gx[e][k] * dx[e][k]).sum()) for e in dx)
        size = [sum(float(v[k].square().sum()) for v in t.values()) ** 0.5 for t in (ty, dy)]
        assert abs(left - right) <= 1e-12 * size[0] * size[1]


def test_superposition_gives_the_tangents_that_torch_gives(make_chain, toys):
    class Unsure(toys.Tank):
        linear = False

    one, answers = torch.ones(2, 4, dtype=torch.float64), []
    for tank in (toys.Tank, Unsure):
        run = make_chain(tank, toys.FINE, members=2)
        tape = recorded(run, 3, toys, [(FLUX, 0, one)])
        answers.append(run.jvp({(FLUX, toys.at(0)): toys.draw(3, 2, 4)}, [(LEVEL, toys.at(3))]))
        assert run.tape is tape
    assert torch.allclose(*(a[LEVEL, toys.at(3)] for a in answers), rtol=1e-14)


def test_the_run_as_a_torch_function_passes_gradcheck(make_chain, toys):
    run = make_chain(toys.Leaky, toys.FINE)
    outputs = [(LEVEL, toys.at(2)), (LEVEL, toys.at(3)), (LEVEL, toys.at(2))]
    function = gradient_function(run, [FLUX, AMOUNT, RATE], outputs, toys.at(3))
    values = toys.draw(1, 4), toys.draw(1, 12, seed=1), toys.draw(1, seed=2)
    assert torch.autograd.gradcheck(function, [v.requires_grad_() for v in values])


def test_the_torch_function_starts_where_the_run_stood(make_chain, toys):
    run, one = make_chain(), torch.ones(1, 4, dtype=torch.float64, requires_grad=True)
    run.advance(toys.at(2))
    function = gradient_function(run, [FLUX], [(AMOUNT, toys.at(3))], toys.at(4))
    for _ in range(2):
        (amount,) = function(one)
        assert amount.tolist() == [[5.0] * 4]  # 2 + 2 + 1
    assert run.time == toys.at(4)
    amount.sum().backward()
    assert one.grad.tolist() == [[1.0] * 4]


def test_an_input_that_nothing_depends_on_has_no_gradient(make_chain, toys):
    run = make_chain()
    function = gradient_function(run, [FLUX, RATE], [(AMOUNT, toys.at(1))], toys.at(1))
    flux, rate = toys.draw(1, 4).requires_grad_(), toys.scalar(2.0).requires_grad_()
    function(flux, rate)[0].sum().backward()
    assert flux.grad.tolist() == [[1.0] * 4]
    assert rate.grad.tolist() == [0.0]


# ---------------------------------------------------------------------- the tape
def test_vjp_and_jvp_use_the_open_tape_or_the_last(make_chain, toys):
    run, one = make_chain(), torch.ones(1, 1, 4, dtype=torch.float64)
    with pytest.raises(SpecError, match="nothing was recorded"):
        run.vjp({(LEVEL, toys.at(1)): one})
    with run.recording():
        run.put(FLUX, one[0])
        run.advance(toys.at(1))
        inside = run.vjp({(LEVEL, toys.at(1)): one})
    after = run.vjp({(LEVEL, toys.at(1)): one})
    assert inside[FLUX, toys.at(0)].tolist() == after[FLUX, toys.at(0)].tolist() == [[[0.5] * 4]]


def test_rewinding_empties_the_open_tape(make_chain, toys):
    run = make_chain()
    moment = run.moment
    with run.recording() as tape:
        run.advance(toys.at(1))
        run.rewind(moment)
        assert len(tape) == 0
        run.advance(toys.at(2))
    assert len(tape) == 2 * 2


def test_events_that_the_tape_does_not_hold_are_refused(make_chain, toys):
    run, one = make_chain(), torch.ones(1, 1, 4, dtype=torch.float64)
    recorded(run, 2, toys, [(FLUX, 0, one[0])])
    with pytest.raises(SpecError, match=r"source\.flux: was not put at 2000-01-01 01"):
        run.jvp({(FLUX, toys.at(1)): one}, [(LEVEL, toys.at(2))])
    with pytest.raises(SpecError, match=r"tank\.level: no recorded step of 'tank' ends at 2000-01-01 03"):
        run.vjp({(LEVEL, toys.at(3)): one})
    with pytest.raises(SpecError, match="no component exports such a variable"):
        run.vjp({("tank.lvel", toys.at(2)): one})
    with pytest.raises(SpecError, match="no tangent was given"):
        run.jvp({}, [(LEVEL, toys.at(2))])


@pytest.mark.parametrize("shape", [(1, 4), (1, 1, 3), (1, 2, 4)])
def test_derivatives_of_another_shape_are_refused(make_chain, toys, shape):
    run = make_chain()
    recorded(run, 1, toys, [(FLUX, 0, torch.ones(1, 4, dtype=torch.float64))])
    with pytest.raises(SpecError, match=r"tank\.level: expected shape"):
        run.vjp({(LEVEL, toys.at(1)): torch.ones(shape, dtype=torch.float64)})


def test_batches_of_different_length_are_refused(make_chain, toys):
    run = make_chain()
    recorded(run, 1, toys, [(FLUX, 0, torch.ones(1, 4, dtype=torch.float64))])
    events = (LEVEL, toys.at(1)), (AMOUNT, toys.at(1))
    with pytest.raises(SpecError, match="length of their first axis"):
        run.vjp({event: toys.draw(k + 1, 1, 4) for k, event in enumerate(events)})


# ---------------------------------------------------------------------- who answered
def test_a_component_without_adjoint_says_so(make_chain, toys):
    class Opaque(toys.Tank):
        differentiable = False

    run, one = make_chain(Opaque), torch.ones(1, 1, 4, dtype=torch.float64)
    recorded(run, 1, toys, [(FLUX, 0, one[0])])
    with pytest.raises(NotDifferentiableError, match="component 'tank': has no adjoint"):
        run.vjp({(LEVEL, toys.at(1)): one})
    with pytest.raises(NotDifferentiableError, match="component 'tank': has no adjoint"):
        run.jvp({(FLUX, toys.at(0)): one}, [(LEVEL, toys.at(1))])


def test_a_surrogate_that_answered_for_it_is_differentiated(make_chain, toys):
    class Opaque(toys.Tank):
        differentiable = False

    def surrogate(call):
        exports, state = toys.Tank().step(call.state, call.imports, call.parameters, call.interval)
        return Step(exports, state, answered_by="network")

    run, one = make_chain(Opaque, answer=surrogate, plugin="tank"), torch.ones(1, 1, 4, dtype=torch.float64)
    recorded(run, 1, toys, [(FLUX, 0, one[0])])
    assert run.vjp({(LEVEL, toys.at(1)): one})[FLUX, toys.at(0)].tolist() == [[[0.5] * 4]]


def test_a_guarded_replay_takes_the_branch_that_was_recorded(make_chain, toys):
    """The surrogate answers 10 times as much and is valid below 3; the model answers for member 1.

    In replay both would be valid (the put is gone), but the branch is that of the recorded step.
    """
    from tradewind.plugins.caller import Part, StepCaller
    from tradewind.plugins.options import Options
    from tradewind.plugins.policies.guard import Guard

    tank, asked = toys.Tank(), []

    class TenTimes:
        def tradewind_step(self, call):
            exports, state = tank.step(call.state, call.imports, call.parameters, call.interval)
            asked.append(call.mode)
            valid = call.imports["inflow"].detach().amax(1) < (3.0 if call.mode == "forward" else 99.0)
            return Step({"level": 10 * exports["level"]}, state, valid)

    caller = StepCaller(
        "tank", Part("tank", tank), Part("ten", TenTimes()), [Part("guard", Guard(Options()))]
    )
    run = make_chain(answer=caller, plugin="tank", members=2)
    recorded(run, 1, toys, [(FLUX, 0, torch.tensor([[1.0], [5.0]], dtype=torch.float64).expand(2, 4))])
    assert run.get(LEVEL)[:, 0].tolist() == [5.0, 2.5]
    found = run.vjp({(LEVEL, toys.at(1)): torch.ones(1, 2, 4, dtype=torch.float64)})
    assert found[FLUX, toys.at(0)][0, :, 0].tolist() == [5.0, 0.5]
    assert asked == ["forward", "replay"]


# ---------------------------------------------------------------------- a component's own derivatives
@pytest.fixture
def external(toys):
    """A tank whose step leaves torch for numpy, with derivatives by hand: an external model."""

    class External(toys.Tank):
        calls: tuple[str, ...] = ()

        def step(self, state, imports, parameters, interval):
            amount = state.fields["amount"].numpy() + imports["inflow"].numpy()
            level = parameters["rate"].numpy()[:, None] * amount
            return {"level": torch.from_numpy(level)}, toys.State({"amount": torch.from_numpy(amount)})

        def jvp(self, call, tangents):
            self.calls += ("jvp",)
            moved = [tangents[key] for key in (("state", "amount"), ("import", "inflow")) if key in tangents]
            amount = call.state.fields["amount"] + call.imports["inflow"]
            new = sum(moved) if moved else torch.zeros(1, *amount.shape)
            rate = call.parameters["rate"][:, None]
            level = rate * new + tangents.get(("parameter", "rate"), torch.zeros(1))[..., None] * amount
            return {("export", "level"): level, ("state", "amount"): new}

        def vjp(self, call, cotangents):
            self.calls += ("vjp",)
            amount = call.state.fields["amount"] + call.imports["inflow"]
            level = cotangents.get(("export", "level"), torch.zeros(1, *amount.shape, dtype=torch.float64))
            back = call.parameters["rate"][:, None] * level + cotangents.get(("state", "amount"), 0.0)
            return {
                ("state", "amount"): back,
                ("import", "inflow"): back,
                ("parameter", "rate"): (level * amount).sum(-1),
            }

    return External


def test_an_external_model_gives_the_derivatives_of_its_twin_in_torch(make_chain, toys, external):
    answers = []
    for tank in (toys.Tank, external):
        run = make_chain(tank, toys.FINE, members=2)
        recorded(run, 3, toys, [(FLUX, 0, toys.draw(2, 4)), (RATE, 0, toys.draw(2, seed=1))])
        events = [(FLUX, toys.at(0)), (RATE, toys.at(0))]
        moved = run.jvp({events[0]: toys.draw(3, 2, 4), events[1]: toys.draw(3, 2)}, [(LEVEL, toys.at(3))])
        back = run.vjp({(LEVEL, toys.at(3)): toys.draw(3, 2, 12), (LEVEL, toys.at(1)): toys.draw(3, 2, 12)})
        answers.append([moved[LEVEL, toys.at(3)], *(back[event] for event in events)])
    assert run.participants[1].component.calls == ("jvp",) * 3 + ("vjp",) * 3
    for torch_s, own in zip(*answers, strict=True):
        assert torch.allclose(torch_s, own, rtol=1e-13)


def test_an_external_model_with_one_of_two_derivatives_is_refused_the_other(make_chain, toys, external):
    class OnlyAdjoint(external):
        jvp = property()  # hasattr is False

    run, one = make_chain(OnlyAdjoint), torch.ones(1, 1, 4, dtype=torch.float64)
    recorded(run, 1, toys, [(FLUX, 0, one[0])])
    assert run.vjp({(LEVEL, toys.at(1)): one})[FLUX, toys.at(0)].tolist() == [[[0.5] * 4]]
    with pytest.raises(NotDifferentiableError, match="brings its own derivatives, but no jvp"):
        run.jvp({(FLUX, toys.at(0)): one}, [(LEVEL, toys.at(1))])


def test_an_external_model_must_name_what_it_declares(make_chain, toys, external):
    class Wrong(external):
        def vjp(self, call, cotangents):
            return {("import", "outflow"): cotangents["export", "level"]}

    run, one = make_chain(Wrong), torch.ones(1, 1, 4, dtype=torch.float64)
    recorded(run, 1, toys, [(FLUX, 0, one[0])])
    with pytest.raises(
        SpecError, match=r"component 'tank': its derivative names \[\('import', 'outflow'\)\]"
    ):
        run.vjp({(LEVEL, toys.at(1)): one})


def test_an_external_model_is_not_asked_when_a_surrogate_answered_with_it(make_chain, toys, external):
    def both(call):
        exports, state = toys.Tank().step(call.state, call.imports, call.parameters, call.interval)
        return Step(exports, state, torch.tensor([False]), "network+tank")

    run, one = make_chain(external, answer=both, plugin="tank"), torch.ones(1, 1, 4, dtype=torch.float64)
    recorded(run, 1, toys, [(FLUX, 0, one[0])])
    with pytest.raises(NotDifferentiableError, match=r"answered together with network\+tank"):
        run.vjp({(LEVEL, toys.at(1)): one})
