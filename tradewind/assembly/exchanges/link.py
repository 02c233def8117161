"""One exchange of a run config on its way to become one of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

from tradewind.assembly.exchanges.weights import Weights
from tradewind.assembly.parts import Assembly
from tradewind.config.sections.exchanging import ExchangeSection
from tradewind.config.source import Key
from tradewind.couplers.coupling.exchange import End
from tradewind.couplers.coupling.fields import Variable
from tradewind.errors import ConfigError


@dataclass(frozen=True)
class Link:
    """Both ends of an exchange, and what the config says of it.

    Attributes
    ----------
    number
        Its place in the config.
    weights
        Those that exchanges share.
    """

    assembly: Assembly
    number: int
    section: ExchangeSection
    source: End
    target: End
    weights: Weights

    @property
    def name(self) -> str:
        """The exchange as ``source -> target``."""
        return f"{self.source.port} -> {self.target.port}"

    @property
    def ports(self) -> str:
        """Both ends, in words."""
        return f"{self.source.port} and {self.target.port}"

    def path(self, key: str) -> tuple[Key, ...]:
        """Return where a fault belongs: to the key, where the config has it, or to the exchange."""
        given = key in self.section.model_fields_set
        return ("exchanges", self.number, key) if given else ("exchanges", self.number)

    def step(self, component: str) -> timedelta:
        """Return the step of a component."""
        return self.assembly.members[component].section.step or self.assembly.config.run.step

    @property
    def steps(self) -> tuple[timedelta, timedelta]:
        """Steps of source and target."""
        return self.step(self.source.component), self.step(self.target.component)

    def note(self, text: str) -> None:
        """Tell the user something about the exchange."""
        self.assembly.notes.append(f"{self.name}: {text}")

    @cached_property
    def quantity(self) -> Variable:
        """The import with the kind that both ends agree on: where one says flux, its total must be kept.

        Raises
        ------
        ConfigError
            Densities where amounts are expected, or the reverse: the values mean different things.
        """
        sent, taken = self.source.variable.kind, self.target.variable.kind
        if sent.is_extensive is not taken.is_extensive:
            raise ConfigError(
                f"{self.source.port} is a {sent}, {self.target.port} a {taken}",
                hint="one is an amount of a whole cell, the other holds everywhere in it: mend a declaration",
            )
        return replace(self.target.variable, kind=sent if sent.is_flux else taken)
