"""The names by which values are put into a coupled run and read from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from tradewind.coupled.tape import Participant, Port
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError, SpecError, did_you_mean


@dataclass(frozen=True)
class Place:
    """A variable of a run.

    Attributes
    ----------
    role
        ``import``, ``parameter``, ``state`` or ``export``.
    """

    component: str
    role: str
    variable: Variable
    layout: Layout | None

    @property
    def inner(self) -> tuple[int, ...]:
        """Shape of a value but for its members: ``(*extra, cell)``."""
        cells = () if self.layout is None else (self.layout.n_local,)
        return (*(length for _, length in self.variable.extra), *cells)

    def check(self, value: Tensor, members: int, batch: tuple[int, ...] = ()) -> None:
        """Refuse a value that is not of shape ``(*batch, members or 1, *inner)``.

        Raises
        ------
        SpecError
            Wrong shape or type; what was expected is named.
        """
        expected = (*batch, members, *self.inner)
        one = (*batch, 1, *self.inner)
        where = f"{self.component}.{self.variable.name}"
        if not isinstance(value, Tensor) or not value.is_floating_point():
            kind = str(value.dtype) if isinstance(value, Tensor) else type(value).__name__
            raise SpecError(f"expected a tensor of floating point, got {kind}", where=where)
        if tuple(value.shape) not in {expected, one}:
            raise SpecError(f"expected shape {expected}, got {tuple(value.shape)}", where=where)


class Ports:
    """What can be put and what can be read.

    Parameters
    ----------
    participants, exchanges
        Of the run.

    Attributes
    ----------
    inputs
        Imports, parameters and states, by ``component.variable``.
    outputs
        Exports, imports that an exchange delivers, open ends and states; where names meet, in this order.
    """

    def __init__(self, participants: Sequence[Participant], exchanges: Sequence[Exchange]) -> None:
        self.inputs: dict[Port, Place] = {}
        self.outputs: dict[Port, Place] = {}
        for p in participants:
            for role, variables in (("import", p.spec.imports), ("parameter", p.spec.parameters)):
                _take(self.inputs, p, role, variables)
            _take(self.inputs, p, "state", p.spec.state)
            _take(self.outputs, p, "export", p.spec.exports)
        for end in (e.target for e in exchanges):
            place = Place(end.component, "import", end.variable, end.layout)
            self.outputs.setdefault(end.port, place)
        for p in participants:
            _take(self.outputs, p, "state", p.spec.state)

    def input(self, port: Port) -> Place:
        """Return where a value can be put.

        Raises
        ------
        SpecError
            When no component declares such an import, parameter or state.
        """
        return _find(self.inputs, port, "no component declares such an import, parameter or state")

    def output(self, port: Port) -> Place:
        """Return where a value can be read.

        Raises
        ------
        SpecError
            When nothing of that name is exported, delivered or kept.
        """
        return _find(self.outputs, port, "no component exports such a variable, and no exchange delivers it")


def _take(places: dict[Port, Place], p: Participant, role: str, variables: Sequence[Variable]) -> None:
    for v in variables:
        places.setdefault(p.port(v.name), Place(p.name, role, v, p.layouts.get(v.name)))


def _find(places: Mapping[Port, Place], port: Port, what: str) -> Place:
    if port not in places:
        raise SpecError(what, where=port, hint=did_you_mean(port, places))
    return places[port]


def check_exchanges(participants: Sequence[Participant], exchanges: Sequence[Exchange]) -> None:
    """Refuse two components of one name, and exchanges between variables that are not declared.

    Raises
    ------
    SpecError
        No such export or import.
    ConfigError
        Components that share a name.
    """
    names = [p.name for p in participants]
    if len(set(names)) < len(names):
        raise ConfigError(f"two of {names} share a name", where="components")
    by_name = {p.name: p for p in participants}
    for exchange in exchanges:
        source, target = (by_name.get(end.component) for end in (exchange.source, exchange.target))
        _declared(
            exchange.source.variable.name, () if source is None else source.spec.exports, exchange, "export"
        )
        if target is not None:
            _declared(exchange.target.variable.name, target.spec.imports, exchange, "import")


def _declared(name: str, variables: Sequence[Variable], exchange: Exchange, role: str) -> None:
    known = [v.name for v in variables]
    if name not in known:
        raise SpecError(
            f"no {role} {name!r} is declared", where=exchange.name, hint=did_you_mean(name, known)
        )
