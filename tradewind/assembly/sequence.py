"""In which order the components step: what a run config asks for, held against what its exchanges need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tradewind.assembly.faults import Faults
from tradewind.assembly.parts import Assembly
from tradewind.coupled.stepping.plan import Plan
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Step, StepCall
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.coupling.time.sequence import Need, refuse_order
from tradewind.errors import ConfigError


def check_sequence(assembly: Assembly, faults: Faults) -> None:
    """Find periods that do not fit, circles, and an order that does not give what is needed."""
    fitting = [e for e in assembly.exchanges if _fits(assembly, e, faults)]
    with faults.at("exchanges"):
        plan_of(assembly, fitting)
    with faults.at("run", "sequence"):
        _refuse_asked(assembly, fitting)


def plan_of(assembly: Assembly, exchanges: Sequence[Exchange] | None = None) -> Plan:
    """Return the steps of one coupling interval; nothing is initialised.

    Parameters
    ----------
    exchanges
        Those of the run, or some of them.

    Raises
    ------
    ConfigError
        When steps and periods do not fit, or components wait for each other in a circle.
    """
    wanted = assembly.exchanges if exchanges is None else exchanges
    participants = [
        Participant(name, member.component, member.spec, _unasked, member.layouts, step=member.section.step)
        for name, member in assembly.ordered.items()
    ]
    return Plan(participants, wanted, assembly.clock.step)


def _unasked(call: StepCall) -> Step:
    raise ConfigError(f"{call.component} is only planned, it cannot step", where="plan")


def _fits(assembly: Assembly, exchange: Exchange, faults: Faults) -> bool:
    """Return whether an exchange fits by itself; what does not is a fault of its section."""
    names = [f"{section.source} -> {section.target}" for section in assembly.config.exchanges]
    path = ("exchanges", names.index(exchange.name)) if exchange.name in names else ("exchanges",)
    with faults.at(*path):
        plan_of(assembly, [exchange])
        return True
    return False


def _refuse_asked(assembly: Assembly, exchanges: Sequence[Exchange]) -> None:
    asked = assembly.config.run.sequence
    if asked is not None:
        refuse_order(asked, list(_needs(assembly, exchanges)))


def _needs(assembly: Assembly, exchanges: Sequence[Exchange]) -> Iterator[Need]:
    for exchange in exchanges:
        yield from (channel.need for channel in plan_of(assembly, [exchange]).channels)
