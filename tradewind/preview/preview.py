"""``tradewind preview``: degrees of freedom and cost of an inversion, without a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tradewind.accounts import observed_units
from tradewind.assembly import Assembly, assemble
from tradewind.couplers.assimilation import Port
from tradewind.errors import ConfigError
from tradewind.findings.dropped import Dropped, dropped
from tradewind.preview.cost import Cost, cost_of
from tradewind.preview.information import Expected, Seen, expected
from tradewind.preview.winds import winds_of


@dataclass(frozen=True)
class Preview:
    """What an inversion can be expected to tell, and to cost.

    Attributes
    ----------
    name
        Of the run.
    expected
        Of each element.
    names
        Of the elements.
    winds
        Where the winds are from.
    """

    name: str
    expected: Expected
    names: tuple[str, ...]
    cost: Cost
    dropped: tuple[Dropped, ...]
    winds: str
    notes: tuple[str, ...]

    @property
    def targets(self) -> tuple[Port, ...]:
        """Each ``component.variable`` that x sets."""
        return tuple(dict.fromkeys(self.expected.target))


def preview(path: Path | str, overrides: Sequence[str] = (), comm: object | None = None) -> Preview:
    """Return what the inversion of a run config can be expected to tell and to cost; runs no model.

    Parameters
    ----------
    path
        The run config.
    overrides
        Settings that replace those of the file.
    comm
        mpi4py communicator; None: serial.

    Raises
    ------
    ConfigError
        With every fault of the config; when it has no control or no observations.
    """
    assembly = assemble(path, overrides, comm)
    try:
        return preview_of(assembly)
    finally:
        assembly.finalize()


def preview_of(assembly: Assembly) -> Preview:
    """Return the preview of an assembled run.

    Raises
    ------
    ConfigError
        When it has no control or no observations.
    """
    control, observe = assembly.control, assembly.observe
    if control is None or observe is None:
        hint = "add control: and observations:"
        raise ConfigError("nothing to estimate", where=str(assembly.config.source.file), hint=hint)
    winds = winds_of(assembly)
    seen = Seen.of(observe.windows(assembly.windows), winds, observed_units(assembly))
    return Preview(
        name=assembly.config.source.file.stem,
        expected=expected(control, seen, assembly.variable),
        names=tuple(getattr(control, "names", ())),
        cost=cost_of(assembly),
        dropped=tuple(dropped(observe)),
        winds=winds.source,
        notes=tuple(assembly.notes),
    )
