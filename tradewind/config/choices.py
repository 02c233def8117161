"""The plugins that a run config chooses by name, and the settings that it gives to each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tradewind.config.faults import Fault, faults_of
from tradewind.config.source import Key
from tradewind.config.structure import entries, one_or_many
from tradewind.errors import PluginError
from tradewind.plugins.manager import PluginManager
from tradewind.plugins.options import FOLDER
from tradewind.plugins.registry import ANY, Descriptor, Role

Validated = TypeVar("Validated", bound=BaseModel)


@dataclass(frozen=True)
class Choice:
    """A name in the config, the roles that it may have, and where it and its settings stand."""

    roles: tuple[Role, ...]
    section: dict[str, Any]
    at: tuple[Key, ...]
    name_key: str
    options_key: str = "options"

    @property
    def name(self) -> str | None:
        """The name as written; None where there is none that could be looked up."""
        name = self.section.get(self.name_key)
        return name if isinstance(name, str) else None


def choices(data: Mapping[str, Any]) -> Iterator[Choice]:
    """Yield every choice of a plugin in the settings `data`, whatever else is wrong with them."""
    components = data.get("components")
    for name, section in components.items() if isinstance(components, dict) else ():
        if isinstance(section, dict):
            yield from _of_component(section, ("components", name))
    for at, section in one_or_many(data, "observations"):
        yield Choice((Role.OBSERVATION_OPERATOR,), section, at, "operator")
    section = data.get("solve")
    if isinstance(section, dict):
        yield Choice((Role.SOLVER, Role.FILTER), section, ("solve",), "method")


def _of_component(section: dict[str, Any], at: tuple[Key, ...]) -> Iterator[Choice]:
    yield Choice((Role.COMPONENT,), section, at, "plugin")
    yield Choice((Role.SURROGATE,), section, at, "surrogate", "surrogate_options")
    policies = section.get("policies")
    if isinstance(policies, list):
        policies[:] = [{"policy": p} if isinstance(p, str) else p for p in policies]
    for i, policy in entries(policies):
        yield Choice((Role.POLICY,), policy, (*at, "policies", i), "policy")


def validate_choices(data: Mapping[str, Any], manager: PluginManager, folder: Path) -> Iterator[Fault]:
    """Replace settings of plugins in `data`, in place, by their validated models; yield the faults.

    Parameters
    ----------
    folder
        What relative paths in the settings are relative to.
    """
    for choice in choices(data):
        if choice.name is None:
            continue
        try:
            first, *others = choice.roles
            descriptor = manager.descriptor(first, choice.name, *others)
            yield from _mismatch(choice, descriptor)
            yield from _validate(choice, descriptor, folder)
        except PluginError as error:
            yield Fault((*choice.at, choice.name_key), str(error))


def _mismatch(choice: Choice, descriptor: Descriptor) -> Iterator[Fault]:
    model = choice.section.get("plugin")
    if descriptor.role is Role.SURROGATE and descriptor.component not in {model, ANY}:
        what = f"{descriptor.name!r} stands in for {descriptor.component!r}, not for {model!r}"
        yield Fault((*choice.at, choice.name_key), what)


def _validate(choice: Choice, descriptor: Descriptor, folder: Path) -> Iterator[Fault]:
    settings = choice.section.get(choice.options_key)
    settings = {} if settings is None else settings
    if not isinstance(settings, dict):
        return  # reported where the type is checked
    model = descriptor.options_model()
    usable, error = validated(model, settings, {FOLDER: folder})
    if error is not None:
        yield from faults_of(error, model, (*choice.at, choice.options_key))
    if usable is not None:
        choice.section[choice.options_key] = usable


def validated(
    model: type[Validated], data: dict[str, Any], context: Mapping[str, Any]
) -> tuple[Validated | None, ValidationError | None]:
    """Return the settings `data` as an instance of `model`, and what is wrong with them.

    Unknown keys are left out, so that other faults can be looked for; None where that does not help.
    """
    try:
        return model.model_validate(data, context=context), None
    except ValidationError as error:
        try:
            return model.model_validate(_without_unknown(data, error), context=context), error
        except ValidationError:
            return None, error


def _without_unknown(data: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    known = deepcopy(data)
    for details in error.errors(include_url=False):
        if details["type"] == "extra_forbidden":
            *parents, key = details["loc"]
            inner: Any = known
            for parent in parents:
                inner = inner[parent]
            del inner[key]
    return known
