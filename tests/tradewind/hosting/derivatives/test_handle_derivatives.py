"""Derivatives of a handle: about its last run, or run by run through all that were recorded."""

import pytest
import torch

from tradewind.errors import NotDifferentiableError
from tradewind.hosting.derivatives import What
from tradewind.hosting.failing import CallError, Code

AMOUNT, INFLOW, RATE, LEVEL = (
    ("state", "amount"),
    ("import", "inflow"),
    ("parameter", "rate"),
    ("export", "level"),
)


@pytest.fixture
def handle(ponds):
    return ponds.Handle()


@pytest.fixture
def once(handle, ponds):
    """A handle that has run once: amount 1 + 2 - 0.5 = 2.5."""
    handle.run(ponds.field(2.0, 2.0, 2.0, 2.0), ponds.number(0.5))
    return handle


@pytest.fixture
def keeping(ponds):
    """A handle that keeps its runs."""
    return ponds.Handle(keeps=True)


@pytest.fixture
def recorded(keeping, ponds):
    """A handle that has run three times, everything put each time."""
    handle = keeping
    for inflow in (2.0, 0.5, 1.0):
        handle.run(ponds.field(inflow, 0.0, 1.0, inflow), ponds.number(0.1))
    return handle


def got(handle, what, name):
    """Return a derivative of the last call; what is absent is zero."""
    found = {key[1]: value for key, value in handle.found[what].items()}
    return found.get(name, torch.zeros(1, 4, dtype=torch.float64))


class TestOneRun:
    def test_a_tangent_is_the_derivative_by_hand(self, once, ponds):
        once.tangent({INFLOW: ponds.field(1.0, 0.0, 0.0, 3.0)})
        # the level is amount², the amount moves with the inflow
        assert got(once, What.TANGENT, "level").tolist() == [[5.0, 0.0, 0.0, 15.0]]
        assert got(once, What.TANGENT, "amount").tolist() == [[1.0, 0.0, 0.0, 3.0]]

    def test_an_adjoint_is_the_derivative_by_hand(self, once, ponds):
        once.adjoint({LEVEL: ponds.field(1.0, 0.0, 0.0, 2.0)})
        # d level = 2 · 2.5 · (d inflow + (1 - 2 · 0.5 · 1) d amount - 1 · d rate)
        assert got(once, What.ADJOINT, "inflow").tolist() == [[5.0, 0.0, 0.0, 10.0]]
        assert got(once, What.ADJOINT, "amount").tolist() == [[0.0, 0.0, 0.0, 0.0]]
        assert got(once, What.ADJOINT, "rate").tolist() == [-15.0]

    def test_they_can_be_asked_for_again_about_the_same_run(self, once, ponds):
        for _ in range(2):
            once.adjoint({LEVEL: ponds.field(1.0, 1.0, 1.0, 1.0)})
            assert got(once, What.ADJOINT, "rate").tolist() == [-20.0]

    def test_the_dot_test_is_rounding(self, once):
        assert once.dot_test() <= 1e-15

    def test_the_dot_test_of_members_is_rounding(self, ponds):
        handle = ponds.Handle(members=3)
        rows = torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)
        handle.run(rows.expand(3, 4), torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64))
        assert handle.dot_test() <= 1e-15

    def test_the_dot_test_finds_a_wrong_adjoint(self, ponds):
        class Wrong(ponds.Pond):
            def jvp(self, call, tangents):
                return {LEVEL: tangents[INFLOW]}

            def vjp(self, call, cotangents):
                return {INFLOW: 2.0 * cotangents[LEVEL]}

        handle = ponds.Handle(Wrong())
        handle.run(ponds.field(1.0, 2.0, 3.0, 4.0), ponds.number(0.5))
        assert handle.dot_test() > 1e-2


class TestRecordedRuns:
    def test_adjoints_go_back_run_by_run(self, recorded, ponds):
        """Against torch, through all three steps at once."""
        inflows = [torch.full((1, 4), v, dtype=torch.float64, requires_grad=True) for v in (2.0, 0.5, 1.0)]
        amount = torch.ones(1, 4, dtype=torch.float64, requires_grad=True)
        now, total = amount, 0.0
        for inflow in inflows:
            part = torch.tensor([[1.0, 0.0, 0.0, 1.0]]) * inflow + torch.tensor([[0.0, 0.0, 1.0, 0.0]])
            now = now + part - 0.1 * now**2
            total = total + (now**2).sum()
        total.backward()
        ones = {LEVEL: ponds.field(1.0, 1.0, 1.0, 1.0)}
        for inflow in reversed(inflows):
            recorded.adjoint(ones)
            found = got(recorded, What.ADJOINT, "inflow") * torch.tensor([[1.0, 0.0, 0.0, 1.0]])
            torch.testing.assert_close(found, inflow.grad, rtol=1e-14, atol=0.0)
        torch.testing.assert_close(got(recorded, What.ADJOINT, "amount"), amount.grad, rtol=1e-14, atol=0.0)

    def test_tangents_go_forward_run_by_run(self, recorded, ponds):
        """<M x, y> = <x, M* y> over the whole way, with something entering at every run."""
        x, y = torch.randn(3, 1, 4, dtype=torch.float64), torch.randn(3, 1, 4, dtype=torch.float64)
        forward = 0.0
        for k in range(3):
            start = {AMOUNT: ponds.field(1.0, 2.0, 3.0, 4.0)} if k == 0 else {}
            recorded.tangent({INFLOW: x[k], **start})
            forward += float((got(recorded, What.TANGENT, "level") * y[k]).sum())
        back = 0.0
        for k in (2, 1, 0):
            recorded.adjoint({LEVEL: y[k]})
            back += float((got(recorded, What.ADJOINT, "inflow") * x[k]).sum())
        back += float((got(recorded, What.ADJOINT, "amount") * ponds.field(1.0, 2.0, 3.0, 4.0)).sum())
        assert forward == pytest.approx(back, rel=1e-13)

    def test_what_was_put_once_collects_from_all_runs(self, keeping, ponds):
        handle = keeping
        for k in range(2):
            put = [INFLOW, RATE] if k == 0 else []
            handle.run(ponds.field(2.0, 2.0, 2.0, 2.0), ponds.number(0.0), put)
        for asked in (1.0, 0.0):
            handle.adjoint({AMOUNT: ponds.field(asked, 0.0, 0.0, 0.0)})
        # amounts 1, 3, 5: - 3² of the second run, - 1² of the first
        assert got(handle, What.ADJOINT, "rate").tolist() == [-10.0]
        assert got(handle, What.ADJOINT, "inflow").tolist() == [[2.0, 0.0, 0.0, 0.0]]

    def test_a_tangent_holds_until_the_value_was_put_again(self, keeping, ponds):
        handle = keeping
        for put in ([INFLOW, RATE], [], [INFLOW]):
            handle.run(ponds.field(2.0, 2.0, 2.0, 2.0), ponds.number(0.0), put)
        handle.tangent({INFLOW: ponds.field(1.0, 0.0, 0.0, 0.0)})
        handle.tangent({})
        handle.tangent({})
        assert got(handle, What.TANGENT, "amount").tolist() == [[2.0, 0.0, 0.0, 0.0]]

    def test_a_state_that_was_put_ends_the_chain(self, keeping, ponds):
        handle = keeping
        handle.run(ponds.field(2.0, 2.0, 2.0, 2.0), ponds.number(0.0))
        handle.run(ponds.field(2.0, 2.0, 2.0, 2.0), ponds.number(0.0), [AMOUNT])
        handle.adjoint({AMOUNT: ponds.field(1.0, 1.0, 1.0, 1.0)})
        assert got(handle, What.ADJOINT, "amount").tolist() == [[1.0, 1.0, 1.0, 1.0]]
        handle.adjoint({})
        assert got(handle, What.ADJOINT, "amount").tolist() == [[0.0, 0.0, 0.0, 0.0]]

    def test_a_second_way_begins_with_what_is_put_again(self, recorded, ponds):
        found = []
        for _ in range(2):
            recorded.adjoint({LEVEL: ponds.field(1.0, 0.0, 0.0, 0.0)})
            for _ in range(2):
                recorded.adjoint({})
            found.append(got(recorded, What.ADJOINT, "amount"))
        assert torch.equal(*found)

    def test_turning_round_begins_at_the_other_end(self, recorded, ponds):
        recorded.adjoint({LEVEL: ponds.field(1.0, 0.0, 0.0, 0.0)})
        recorded.tangent({AMOUNT: ponds.field(1.0, 0.0, 0.0, 0.0)})
        # the first run: amount 1, rate 0.1
        assert got(recorded, What.TANGENT, "amount")[0, 0] == pytest.approx(0.8)
        recorded.adjoint({AMOUNT: ponds.field(1.0, 0.0, 0.0, 0.0)})
        assert got(recorded, What.ADJOINT, "inflow").tolist() == [[1.0, 0.0, 0.0, 0.0]]


class TestRefusals:
    def test_without_a_run(self, handle, ponds):
        with pytest.raises(CallError, match="no run to be differentiated") as caught:
            handle.adjoint({LEVEL: ponds.field(1.0, 1.0, 1.0, 1.0)})
        assert caught.value.code is Code.ORDER

    def test_about_bound_memory_that_may_have_changed(self, handle, ponds):
        handle.run(ponds.field(2.0, 2.0, 2.0, 2.0), ponds.number(0.0), stands=False)
        with pytest.raises(CallError, match="may have changed") as caught:
            handle.dot_test()
        assert caught.value.code is Code.ORDER

    def test_with_nothing_put(self, once):
        with pytest.raises(CallError, match="nothing was put to begin with"):
            once.tangent({})

    def test_one_call_too_many(self, recorded, ponds):
        recorded.adjoint({LEVEL: ponds.field(1.0, 0.0, 0.0, 0.0)})
        recorded.adjoint({})
        recorded.adjoint({})
        with pytest.raises(CallError, match="all 3 recorded runs were gone through") as caught:
            recorded.adjoint({})
        assert caught.value.code is Code.ORDER

    def test_a_component_without_adjoint_says_so(self, ponds):
        class Rough(ponds.Pond):
            differentiable = False

        handle = ponds.Handle(Rough())
        handle.run(ponds.field(1.0, 2.0, 3.0, 4.0), ponds.number(0.5))
        with pytest.raises(NotDifferentiableError, match="has no adjoint"):
            handle.dot_test()

    def test_a_call_that_has_failed_changes_nothing(self, ponds):
        class Moody(ponds.Pond):
            failing = False

            def jvp(self, call, tangents):
                if self.failing:
                    raise ValueError("not today")
                return {AMOUNT: tangents[AMOUNT], LEVEL: 2.0 * tangents[AMOUNT]}

            def vjp(self, call, cotangents):
                return {}

        handle, start = ponds.Handle(Moody(), keeps=True), {AMOUNT: ponds.field(1.0, 0.0, 0.0, 0.0)}
        for _ in range(2):
            handle.run(ponds.field(1.0, 1.0, 1.0, 1.0), ponds.number(0.0))
        handle.tangent(start)
        handle.participant.component.failing = True
        with pytest.raises(ValueError, match="not today"):
            handle.tangent(start)
        handle.participant.component.failing = False
        handle.tangent({})
        assert got(handle, What.TANGENT, "level").tolist() == [[2.0, 0.0, 0.0, 0.0]]
