"""``tradewind verify``: everything that assimilation relies on, tried on a run config's own models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.assembly import Assembly, assemble
from tradewind.coupled.tape import Participant, Taken
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Variable
from tradewind.errors import ConfigError, NotDifferentiableError, TradewindError, did_you_mean
from tradewind.verification.derivatives import DERIVATIVES
from tradewind.verification.findings import Finding, NotApplicable, Outcome, Verification
from tradewind.verification.rays import Ray
from tradewind.verification.subjects import ObservedSubject, RunSubject, StepSubject, Subject
from tradewind.verification.values import MembersAlone, Repeatable, StateIsValue, ZeroLength

if TYPE_CHECKING:
    from tradewind.coupled.run import CoupledRun

REACH = 4
"""Coupling intervals that are stepped at most: enough for all exchanges to have moved something."""
ROLES = ("state", "import", "parameter")


def verify(
    path: Path | str, overrides: Sequence[str] = (), component: str | None = None, seed: int = 0
) -> Verification:
    """Try everything that assimilation relies on, on each component of a config and on all together.

    Parameters
    ----------
    component
        Only this one; None: all, the coupled run, and K where there are a control and observations.
    seed
        Of the perturbations.

    Raises
    ------
    ConfigError
        When the config has faults, or no component of that name.
    """
    assembly = assemble(path, overrides)
    if assembly.config.run.threads is not None:
        torch.set_num_threads(assembly.config.run.threads)
    if component is not None and component not in assembly.members:
        hint = did_you_mean(component, assembly.members)
        raise ConfigError(f"no component {component!r}", where="--component", hint=hint)
    try:
        subjects = Subjects(assembly)
        findings = tuple(_findings(subjects, component, seed))
    finally:
        assembly.finalize()
    return Verification(assembly.config.source.file.stem, findings, tuple(subjects.notes))


def _findings(subjects: Subjects, component: str | None, seed: int) -> Iterator[Finding]:
    for name in subjects.assembly.ordered:
        if component in {None, name} and subjects.run is not None:
            yield from of_component(subjects.taken(name), seed)
    if component is None:
        yield from subjects.of_run(seed)
        yield from subjects.of_observations(seed)


# ---------------------------------------------------------------------- one component
def of_component(taken: Taken, seed: int = 0) -> Iterator[Finding]:
    """Yield what is found of one recorded step of a component."""
    whole = StepSubject(taken, ROLES)
    value = _tried(whole.name, StateIsValue.name, partial(StateIsValue().of, whole))
    yield value
    yield _tried(whole.name, Repeatable.name, partial(Repeatable().of, whole))
    yield _tried(whole.name, MembersAlone.name, partial(MembersAlone().of, whole, seed))
    for subject in _parts(taken):
        if value.outcome is Outcome.FAILED:
            yield from _skipped(subject)
        else:
            yield from of_derivatives(subject, seed)


def _skipped(subject: Subject) -> Iterator[Finding]:
    """Yield that no derivative can be taken of a step that is no function."""
    for check in DERIVATIVES:
        note = f"the check {StateIsValue.name!r} fails"
        yield Finding(subject.name, check.name, Outcome.SKIPPED, note=note)


def _parts(taken: Taken) -> Iterator[StepSubject]:
    """Yield the step as its derivatives are taken: of a linear one, those by parameters go another way."""
    spec = taken.participant.spec
    if not (spec.linear and spec.parameters and (spec.state or spec.imports)):
        yield StepSubject(taken, ROLES)
        return
    yield StepSubject(taken, ("state", "import"))
    yield StepSubject(taken, ("parameter",), f"{taken.participant.name}, parameters")


def of_derivatives(subject: Subject, seed: int = 0) -> Iterator[Finding]:
    """Yield what is found of a function and its derivatives, along one random direction."""
    ray: list[Ray] = []

    def along() -> Ray:
        if not ray:
            ray.append(Ray(subject, seed))
        return ray[0]

    for check in DERIVATIVES:
        yield _tried(subject.name, check.name, lambda check=check: check.of(along()))  # type: ignore[misc]


def _tried(subject: str, check: str, find: Callable[[], Finding]) -> Finding:
    """Return the finding; what does not apply is skipped, what the model refuses has failed."""
    try:
        return find()
    except (NotApplicable, NotDifferentiableError) as reason:
        return Finding(subject, check, Outcome.SKIPPED, note=_brief(reason))
    except TradewindError as error:
        advice = "the model refuses this itself: mend what it names"
        return Finding(subject, check, Outcome.FAILED, note=str(error), advice=advice)


def _brief(reason: Exception) -> str:
    what = getattr(reason, "what", "")
    return str(what or reason)


# ---------------------------------------------------------------------- all together
@dataclass
class Subjects:
    """What a config brings to be verified.

    Attributes
    ----------
    notes
        What a reader should know: such as where a component was tried on numbers that no run gave it.
    """

    assembly: Assembly
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._taken: dict[str, Taken] = {}
        self.run: CoupledRun | None = None
        self.fault: TradewindError | None = None
        try:
            self.run = self.assembly.run()
            self._taken = {event.participant.name: event for event in self._recorded(self.run)}
        except TradewindError as error:
            self.fault = error
            self.notes.append("the coupled run fails: components are tried on random numbers instead")

    @property
    def window(self) -> Interval:
        """The stretch that is stepped: at most `REACH` coupling intervals, and one window."""
        clock, window = self.assembly.clock, self.assembly.windows[0]
        return Interval(window.start, min(window.stop, window.start + REACH * clock.step))

    def _recorded(self, run: CoupledRun) -> Iterator[Taken]:
        with run.recording() as tape:
            run.advance(self.window.stop)
        yield from (event for event in tape if isinstance(event, Taken))

    def taken(self, name: str) -> Taken:
        """Return the last step of a component that was recorded, or one made up."""
        if name in self._taken:
            return self._taken[name]
        participants = {} if self.run is None else {p.name: p for p in self.run.participants}
        return made_up(participants[name], self.assembly.clock.step, self.window)

    def of_run(self, seed: int) -> Iterator[Finding]:
        """Yield what is found of the coupled run."""
        if self.run is None or self.fault is not None:
            advice = "no run can be made: see `tradewind check`, and the findings of the components"
            yield Finding("coupled run", "runs", Outcome.FAILED, note=str(self.fault), advice=advice)
            return
        run, start = self.run, self.run.start()
        subject = RunSubject(run, start, self.window)
        yield _tried(subject.name, ZeroLength.name, partial(ZeroLength().of, run, start))
        yield _tried(subject.name, Repeatable.name, partial(Repeatable().of, subject))
        yield from of_derivatives(subject, seed)

    def of_observations(self, seed: int) -> Iterator[Finding]:
        """Yield what is found of the simulated observations, where there are a control and observations."""
        assembly = self.assembly
        if assembly.control is None or assembly.observe is None or self.fault is not None:
            return
        seen = assembly.observe.windows(assembly.windows)
        window = next((w for w in assembly.windows if len(seen[w])), None)
        if window is None:
            self.notes.append("no window has observations: K was not tried")
            return
        steps = len(self.run.plan) * ((window.stop - window.start) // assembly.clock.step) if self.run else 1
        subject = ObservedSubject(assembly.model(), assembly.control, window, steps)
        yield _tried(subject.name, Repeatable.name, partial(Repeatable().of, subject))
        yield from of_derivatives(subject, seed)


def made_up(participant: Participant, step: timedelta, window: Interval) -> Taken:
    """Return a step of a component that no run has made: from its initial state, with random imports."""
    interval = Interval(window.start, window.start + (participant.step or step))
    state = participant.component.initialize(participant.spec, participant.layouts, 1)
    generator = torch.Generator().manual_seed(0)

    def drawn(variables: Iterable[Variable]) -> dict[str, Tensor]:
        shapes = {v.name: (1, *participant.shape(v)) for v in variables}
        return {k: 0.5 + torch.rand(s, generator=generator, dtype=torch.float64) for k, s in shapes.items()}

    parameters = drawn(participant.spec.parameters) | dict(participant.parameters)
    return Taken(participant, interval, state, drawn(participant.spec.imports), parameters)
