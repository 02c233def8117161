"""When an exchange takes and gives, from what the config says and leaves open."""

from __future__ import annotations

from datetime import timedelta

from torch import Tensor

from tradewind.assembly.exchanges.fields import field_of
from tradewind.assembly.exchanges.link import Link
from tradewind.config.sections.exchanging import InitialSection
from tradewind.couplers.coupling.exchange import End
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing, common_multiple
from tradewind.errors import ConfigError
from tradewind.timetable import spoken

KEEPS_TOTALS = {Reduction.MEAN, Reduction.SUM, Reduction.INTEGRAL}


def timing_of(link: Link) -> Timing:
    """Return period, reduction, lag and interpolation of an exchange, and say what was chosen.

    Raises
    ------
    ConfigError
        Periods that do not divide, lags that are none of them, amounts that would be given several times,
        totals that would not be kept.
    DataError, GridError, UnitsError
        An initial field that cannot be used.
    """
    section = link.section
    every = section.every or common_multiple(link.steps)
    cycle = link.assembly.config.run.step
    if cycle % every:
        what = f"its period of {spoken(every)} does not divide the coupling interval of {spoken(cycle)}"
        raise ConfigError(what, hint="choose another `every`, or a longer run.step")
    count = every // link.steps[0]
    reduction = section.time or _default(link, count)
    interpolation = section.interpolate or Interpolation.NONE
    _refuse_lost_total(link, reduction, interpolation)
    initial = None if section.initial is None else initial_of(section.initial, link.source)
    lag = periods(section.lag, every)
    timing = Timing(every, reduction, lag, interpolation, initial).between(*link.steps, "")
    _say(link, timing, count)
    return timing


def periods(lag: int | timedelta, every: timedelta) -> int:
    """Return a lag in whole periods.

    Raises
    ------
    ConfigError
        When it is none.
    """
    if isinstance(lag, int):
        return lag
    if lag % every:
        what = f"a lag of {spoken(lag)} is no whole number of periods of {spoken(every)}"
        raise ConfigError(what, hint=f"{spoken(every)} is one period; or choose another `every`")
    return lag // every


def initial_of(section: InitialSection, end: End) -> float | Tensor:
    """Return an initial value: a number, or a field of shape ``(*extra, cell)`` on the cells of `end`.

    Raises
    ------
    DataError, GridError, UnitsError
        A file that cannot be used.
    """
    if section.file is None or section.variable is None:
        return float(section.value or 0.0)
    field = field_of(section.file, section.variable, end, end.variable.units)
    lengths = tuple(length for _, length in end.variable.extra)
    # one field serves all levels
    return field if field.ndim > 1 else field.expand(*lengths, field.shape[-1]).clone()


def _default(link: Link, count: int) -> Reduction:
    return Reduction.MEAN if count > 1 and link.quantity.kind.is_flux else Reduction.INSTANT


def _refuse_lost_total(link: Link, reduction: Reduction, interpolation: Interpolation) -> None:
    if not (
        interpolation is Interpolation.LINEAR and reduction in KEEPS_TOTALS and link.quantity.kind.is_flux
    ):
        return
    raise ConfigError(
        f"{link.source.port} is a flux: between {reduction}s of periods, linear interpolation does "
        "not keep its total",
        hint="leave `interpolate` out, or say time: instant",
    )


def _say(link: Link, timing: Timing, count: int) -> None:
    """Note what is made of several steps, and why."""
    if count == 1:
        return
    flux, asked = link.quantity.kind.is_flux, link.section.time is not None
    what = f"{timing.reduction} of {count} steps of {spoken(link.steps[0])}"
    if timing.reduction is Reduction.INSTANT and flux:
        link.note(f"{what}: only the last counts, though it is a flux; time: mean keeps its total")
    elif asked:
        link.note(f"{what} (as asked)")
    else:
        link.note(f"{what} ({'a flux: its total is kept' if flux else 'a state: the last counts'})")
