"""Components, their surrogates, and the policies that wrap them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from tradewind.assembly.faults import Faults
from tradewind.assembly.naming import variables_named
from tradewind.assembly.parts import Assembly, Member
from tradewind.config import RunAs
from tradewind.config.sections.models import ComponentSection
from tradewind.couplers.coupling.component import Step, StepCall
from tradewind.couplers.coupling.fields import Spec
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError, DomainError, blaming
from tradewind.plugins.caller import CALL_HOOKS, Part, StepCaller
from tradewind.plugins.registry import Role, StandsIn

STEP, LINEARIZE = CALL_HOOKS
POLICY_OF = {RunAs.GUARDED: "guard", RunAs.SHADOW: "shadow"}


def build_members(assembly: Assembly, faults: Faults) -> None:
    """Build every component that can be built."""
    for name, section in assembly.config.components.items():
        if isinstance(section.options, dict) or faults.spoil("components", name, "plugin"):
            continue  # reported where the settings were checked
        if faults.spoil("components", name, "step"):
            # reported where it was checked; what depends on it is looked at with the step of the run
            section = section.model_copy(update={"step": None})  # noqa: PLW2901
        with faults.at("components", name, "options"), blaming(name):
            assembly.members[name] = _member(assembly, name, section, faults)


def _member(assembly: Assembly, name: str, section: ComponentSection, faults: Faults) -> Member:
    component = assembly.manager.descriptor(Role.COMPONENT, section.plugin).build(section.options)
    if hasattr(component, "share"):
        component.share(assembly.comm)
    if hasattr(component, "asked"):
        component.asked(variables_named(assembly.config, name))
    spec: Spec = component.describe()
    member = Member(section, component, spec, layouts_of(spec))
    with faults.at("components", name, "options"):
        if hasattr(component, "defaults"):
            member.defaults = component.defaults(member.layouts)
        if hasattr(component, "verify"):
            component.verify(replace(assembly.clock, step=section.step or assembly.clock.step))
        assembly.notes += [f"{name}: {note}" for note in getattr(component, "notes", ())]
    with faults.at("components", name, "step"):
        _refuse_inner_step(assembly, section, spec)
    with faults.at("components", name, "run_as"):
        _refuse_guard(section, spec)
    usable = isinstance(section.surrogate_options, BaseModel) and not faults.spoil(
        "components", name, "surrogate"
    )
    if section.run_as is not RunAs.REFERENCE and usable:
        with faults.at("components", name, "surrogate_options"):
            _stand_in(assembly, member)
    return member


def _refuse_guard(section: ComponentSection, spec: Spec) -> None:
    """Refuse answers by member where the model remembers what no surrogate can make."""
    guard = POLICY_OF[RunAs.GUARDED]
    if spec.opaque and (section.run_as is RunAs.GUARDED or guard in {p.policy for p in section.policies}):
        what = f"a surrogate cannot make {', '.join(spec.opaque)} for the members that it answers"
        raise ConfigError(what, hint="use reference, surrogate or shadow, or declare all state as variables")


def _refuse_inner_step(assembly: Assembly, section: ComponentSection, spec: Spec) -> None:
    if spec.step_seconds is None:
        return
    step, inner = section.step or assembly.config.run.step, timedelta(seconds=spec.step_seconds)
    if inner <= timedelta(0) or step % inner:
        hint = f"choose a `step` that is a whole number of {inner}"
        raise ConfigError(f"{section.plugin}'s internal step of {inner} does not divide {step}", hint=hint)


def layouts_of(spec: Spec, *known: Layout) -> dict[str, Layout]:
    """Give every grid one layout: variables on the same grid share it; those of `known` grids have theirs."""
    by_grid = {layout.grid.fingerprint: layout for layout in known}
    found: dict[str, Layout] = {}
    for variable in (*spec.imports, *spec.exports, *spec.state, *spec.parameters):
        if variable.grid is not None:
            if variable.grid.fingerprint not in by_grid:
                by_grid[variable.grid.fingerprint] = Layout(variable.grid)
            found[variable.name] = by_grid[variable.grid.fingerprint]
    return found


def _stand_in(assembly: Assembly, member: Member) -> None:
    """Build the surrogate, and the policies that wrap it."""
    section, manager = member.section, assembly.manager
    descriptor = manager.descriptor(Role.SURROGATE, str(section.surrogate))
    member.surrogate = descriptor.build(section.surrogate_options, member.component)
    if hasattr(member.surrogate, "verify"):
        member.surrogate.verify(assembly.config.run.window)
    if descriptor.stands_in_for is StandsIn.STEP:
        # a network in place of the step is not linear, whatever the reference is
        member.spec = replace(member.spec, linear=False)


def build_callers(assembly: Assembly, faults: Faults) -> None:
    """Build what calls each component: its answerers, wrapped by policies."""
    for name, member in assembly.members.items():
        if faults.spoil("components", name):
            continue  # its surrogate may be missing
        with faults.at("components", name):
            member.policies = tuple(_policies(assembly, member))
            assembly.callers[name] = caller_of(name, member)


def caller_of(name: str, member: Member) -> StepCaller:
    """Return what calls a component."""
    # in shadow the surrogate belongs to the policy: it answers nothing
    answers = member.surrogate is not None and member.section.run_as is not RunAs.SHADOW
    surrogate = Part(str(member.section.surrogate), _insisting(member)) if answers else None
    return StepCaller(name, Part(member.section.plugin, member.component), surrogate, member.policies)


def _insisting(member: Member) -> Any:
    """Return the surrogate; where no guard looks after it, it may not answer outside its domain."""
    guarded = POLICY_OF[RunAs.GUARDED] in {part.name for part in member.policies}
    return member.surrogate if guarded or not hasattr(member.surrogate, STEP) else Insisting(member.surrogate)


class Insisting:
    """A surrogate of steps that refuses what lies outside its domain.

    Parameters
    ----------
    surrogate
        That answers.
    """

    def __init__(self, surrogate: Any) -> None:
        self._answer = getattr(surrogate, STEP)
        # what answers linearizations too goes on to do so
        if hasattr(surrogate, LINEARIZE):
            setattr(self, LINEARIZE, getattr(surrogate, LINEARIZE))

    def tradewind_step(self, call: StepCall) -> Step | None:
        """Answer, inside the domain.

        Raises
        ------
        DomainError
            When a member lies outside.
        """
        step: Step | None = self._answer(call)
        if step is not None and step.valid is not None and not bool(step.valid.all()):
            outside, where = int((~step.valid).sum()), f"component {call.component!r}"
            what = (
                f"{outside} of {len(step.valid)} members lie outside the surrogate's domain, {call.interval}"
            )
            raise DomainError(what, where=where, hint="run_as: guarded sends them to the reference model")
        return step


def _policies(assembly: Assembly, member: Member) -> Iterator[Part]:
    asked = [(p.policy, p.options) for p in member.section.policies]
    wanted = POLICY_OF.get(member.section.run_as)
    if wanted is not None and wanted not in {name for name, _ in asked}:
        asked.append((wanted, {}))
    descriptors = [(assembly.manager.descriptor(Role.POLICY, name), options) for name, options in asked]
    for descriptor, options in sorted(descriptors, key=lambda pair: pair[0].order):
        settings = options or descriptor.options_model()()
        yield Part(descriptor.name, descriptor.build(settings, member.surrogate))
