"""Derivatives through what a session has advanced: one recorded advance a call."""

import pytest
import torch

from tradewind.hosting.advances import Advances
from tradewind.hosting.derivatives import What
from tradewind.hosting.failing import CallError, Code

LEVEL, AMOUNT, FLUX, RATE = "pond.level", "pond.amount", "source.flux", "pond.rate"


@pytest.fixture
def run(ponds):
    return ponds.fed()


@pytest.fixture
def advances(run):
    found = Advances(run)
    found.record(True)
    return found


def go(run, advances, ponds, hour, **put):
    for name, value in put.items():
        run.put(name.replace("_", "."), value)
    run.advance(ponds.START + hour * ponds.HOUR)
    advances.advanced()


def by_torch(fluxes, rate=0.1):
    """Return the amounts after each hour, and what they were made of."""
    amount = torch.ones(1, 4, dtype=torch.float64, requires_grad=True)
    held = torch.tensor(rate, dtype=torch.float64, requires_grad=True)
    amounts, now = [], amount
    for flux in fluxes:
        now = now + flux - held * now**2
        amounts.append(now)
    return amounts, amount, held


@pytest.fixture
def three(run, advances, ponds):
    """Three advances, of one, two and one hours, with another flux each."""
    for hour, flux in ((1, 2.0), (3, 0.5), (4, 1.0)):
        go(run, advances, ponds, hour, source_flux=ponds.field(flux, 1.0, 1.0, flux))
    return advances


@pytest.fixture
def expected(ponds):
    """The same by torch: fluxes of the three advances, amounts, the start, the rate."""
    fluxes = [ponds.field(f, 1.0, 1.0, f).requires_grad_() for f in (2.0, 0.5, 1.0)]
    return fluxes, *by_torch([fluxes[0], fluxes[1], fluxes[1], fluxes[2]])


def test_adjoints_go_back_advance_by_advance(three, expected, ponds):
    fluxes, amounts, start, rate = expected
    sum((amounts[k] ** 2).sum() for k in (0, 2, 3)).backward()
    for flux in reversed(fluxes):
        three.adjoint({LEVEL: ponds.field(1.0, 1.0, 1.0, 1.0)})
        torch.testing.assert_close(three.came(What.ADJOINT, FLUX), flux.grad, rtol=1e-14, atol=0.0)
    torch.testing.assert_close(three.came(What.ADJOINT, AMOUNT), start.grad, rtol=1e-14, atol=0.0)
    assert three.came(What.ADJOINT, RATE).item() == pytest.approx(rate.grad.item(), rel=1e-13)


def test_a_state_can_be_asked_for_where_nothing_was_put(run, advances, ponds):
    go(run, advances, ponds, 1)
    advances.adjoint({AMOUNT: ponds.field(1.0, 0.0, 0.0, 0.0)})
    assert advances.came(What.ADJOINT, AMOUNT).tolist() == [[0.8, 0.0, 0.0, 0.0]]


def test_tangents_and_adjoints_belong_together(three):
    draw = torch.Generator().manual_seed(1)
    x, y = (torch.randn(3, 1, 4, generator=draw, dtype=torch.float64) for _ in range(2))
    forward = back = 0.0
    for k in range(3):
        three.tangent({FLUX: x[k], **({AMOUNT: x[2], RATE: x[0, :, 0]} if k == 0 else {})})
        forward += float((three.came(What.TANGENT, LEVEL) * y[k]).sum())
    for k in (2, 1, 0):
        three.adjoint({LEVEL: y[k]})
        back += float((three.came(What.ADJOINT, FLUX) * x[k]).sum())
    back += float((three.came(What.ADJOINT, AMOUNT) * x[2]).sum())
    back += float((three.came(What.ADJOINT, RATE) * x[0, :, 0]).sum())
    assert forward == pytest.approx(back, rel=1e-13)


def test_what_was_put_after_the_last_advance_belongs_to_none(run, three, ponds):
    run.put(FLUX, ponds.field(9.0, 9.0, 9.0, 9.0))
    three.adjoint({AMOUNT: ponds.field(1.0, 0.0, 0.0, 0.0)})
    assert three.came(What.ADJOINT, FLUX).tolist() == [[1.0, 0.0, 0.0, 0.0]]


def test_ways_can_be_gone_again(three, ponds):
    found = []
    for _ in range(2):
        three.adjoint({LEVEL: ponds.field(1.0, 1.0, 1.0, 1.0)})
        three.adjoint({})
        three.adjoint({})
        found.append(three.came(What.ADJOINT, AMOUNT))
    assert torch.equal(*found)


def test_another_advance_begins_anew(run, advances, ponds):
    go(run, advances, ponds, 1)
    advances.adjoint({AMOUNT: ponds.field(1.0, 0.0, 0.0, 0.0)})
    go(run, advances, ponds, 2)
    with pytest.raises(CallError, match="no adjoint was made"):
        advances.came(What.ADJOINT, AMOUNT)


def test_zero_is_absent(three, ponds):
    three.tangent({RATE: ponds.number(0.0)})
    assert three.came(What.TANGENT, "pond.unknown") is None


@pytest.mark.parametrize("call", ["tangent", "adjoint"])
def test_nothing_recorded(run, call, ponds):
    with pytest.raises(CallError, match="nothing was recorded") as caught:
        getattr(Advances(run), call)({AMOUNT: ponds.field(1.0, 1.0, 1.0, 1.0)})
    assert caught.value.code is Code.ORDER


@pytest.mark.parametrize("call", ["tangent", "adjoint"])
def test_nothing_put(three, call):
    with pytest.raises(CallError, match="nothing was put to begin with") as caught:
        getattr(three, call)({})
    assert caught.value.code is Code.ORDER


def test_one_call_too_many(three, ponds):
    three.adjoint({LEVEL: ponds.field(1.0, 1.0, 1.0, 1.0)})
    three.adjoint({})
    three.adjoint({})
    with pytest.raises(CallError, match="all 3 advances were gone through"):
        three.adjoint({})


def test_recording_can_end(three, ponds):
    three.record(False)
    with pytest.raises(CallError, match="nothing was recorded"):
        three.adjoint({LEVEL: ponds.field(1.0, 1.0, 1.0, 1.0)})
