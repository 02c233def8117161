"""What plugins have registered: descriptors, torch-free until something is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from operator import attrgetter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from tradewind.errors import PluginError, TradewindError, did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel

ANY = "*"
"""Of a surrogate: it stands in for any kind of component whose fields it knows."""
NO_OPTIONS = "tradewind.plugins.options:Options"


class Role(StrEnum):
    """What a registered name can be asked for."""

    COMPONENT = "component"
    SURROGATE = "surrogate"
    POLICY = "policy"
    SOLVER = "solver"
    FILTER = "filter"
    OBSERVATION_OPERATOR = "observation operator"

    @property
    def hook(self) -> str:
        """Name of the hook that registers this role."""
        return "tradewind_register_" + self.name.lower()


class StandsIn(StrEnum):
    """What a surrogate answers in place of its component."""

    STEP = "step"
    WINDOW = "window"
    LINEARIZATION = "linearization"
    PARAMETERS = "parameters"


class Register(Protocol):
    """What a plugin calls to register a component, solver, filter or observation operator."""

    def __call__(self, name: str, *, factory: str, summary: str, options: str = NO_OPTIONS) -> None:
        """Register `name`; `factory` and `options` are ``"package.module:Name"``."""


class RegisterSurrogate(Protocol):
    """What a plugin calls to register a surrogate."""

    def __call__(
        self,
        name: str,
        *,
        factory: str,
        summary: str,
        stands_in_for: str,
        component: str,
        options: str = NO_OPTIONS,
    ) -> None:
        """Register `name`, which stands in for a step, window, … of the kind of `component`."""


class RegisterPolicy(Protocol):
    """What a plugin calls to register a policy."""

    def __call__(
        self, name: str, *, factory: str, summary: str, order: int, options: str = NO_OPTIONS
    ) -> None:
        """Register `name`; policies of lower `order` wrap those of higher."""


class Blame:
    """Context in which whatever foreign code raises becomes an error that names its plugin.

    Parameters
    ----------
    plugin
        Name of the plugin whose code runs.
    doing
        What it was doing, as in ``"cannot be imported"``.
    hint
        What to do about it.
    """

    def __init__(self, plugin: str, doing: str, hint: str = "") -> None:
        self.plugin, self.doing, self.hint = plugin, doing, hint

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, TradewindError) or not isinstance(error, Exception | SystemExit):
            return
        cause = f"{type(error).__name__}: {error}"
        raise PluginError(
            f"{self.doing}: {cause}", where=f"plugin {self.plugin!r}", hint=self.hint
        ) from error


def resolve(path: str, plugin: str) -> Any:
    """Import what ``"package.module:Name"`` names.

    Raises
    ------
    PluginError
        When the path is not of that form, or the import fails; names `plugin`.
    """
    module, _, name = path.partition(":")
    if not (module and name):
        raise PluginError(f"{path!r} is not of the form 'package.module:Name'", where=f"plugin {plugin!r}")
    with Blame(plugin, f"{path!r} cannot be imported", "install what it needs, or mend the plugin"):
        return attrgetter(name)(import_module(module))


@dataclass(frozen=True)
class Descriptor:
    """One registered name, with paths to its options model and its factory.

    Attributes
    ----------
    plugin
        Name of the plugin that registered it.
    stands_in_for
        Surrogates only: what it answers in place of its component.
    component
        Surrogates only: the kind of component (its registered name) that it stands in for; ``*``: any, and
        it looks for itself whether the component's fields are its own.
    order
        Policies only: those of lower order wrap those of higher.
    """

    name: str
    role: Role
    plugin: str
    factory: str
    summary: str
    options: str = NO_OPTIONS
    stands_in_for: StandsIn | None = None
    component: str = ""
    order: int = 0

    def options_model(self) -> type[BaseModel]:
        """Import and return the pydantic model that validates the ``options:`` of a run config.

        Raises
        ------
        PluginError
            When it cannot be imported, or is no such model.
        """
        from pydantic import BaseModel

        model = resolve(self.options, self.plugin)
        if isinstance(model, type) and issubclass(model, BaseModel):
            return model
        raise PluginError(
            f"{self.options!r} is no pydantic model",
            where=f"plugin {self.plugin!r}, {self.role} {self.name!r}",
            hint="derive it from tradewind.plugins.options.Options",
        )

    def build(self, *arguments: Any, **keywords: Any) -> Any:
        """Import the factory, call it and return what it makes.

        Raises
        ------
        PluginError
            When the factory cannot be imported; its own errors pass unchanged.
        """
        return resolve(self.factory, self.plugin)(*arguments, **keywords)


@dataclass
class Registry:
    """All descriptors of one run, by role and name."""

    _known: dict[tuple[Role, str], Descriptor] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Descriptor]:
        return iter(sorted(self._known.values(), key=lambda d: (d.role.value, d.name)))

    def add(self, descriptor: Descriptor) -> None:
        """Take `descriptor` in.

        Raises
        ------
        PluginError
            When another plugin (or the same, twice) has registered the name in that role.
        """
        key = descriptor.role, descriptor.name
        if key in self._known:
            both = f"{self._known[key].plugin!r} and by {descriptor.plugin!r}"
            raise PluginError(
                f"{descriptor.role} {descriptor.name!r} is registered by plugin {both}",
                hint="remove one of them from `plugins:`",
            )
        self._known[key] = descriptor

    def names(self, role: Role) -> tuple[str, ...]:
        """Return the names registered in `role`, sorted."""
        return tuple(d.name for d in self if d.role is role)

    def find(self, name: str, *roles: Role) -> Descriptor:
        """Return the descriptor of `name` in the first of `roles` that knows it.

        Raises
        ------
        PluginError
            When none does; names the nearest.
        """
        for role in roles:
            if (role, name) in self._known:
                return self._known[role, name]
        names = [known for role in roles for known in self.names(role)]
        raise PluginError(f"no {' or '.join(roles)} is called {name!r}", hint=did_you_mean(name, names))


@dataclass(frozen=True)
class Registrar:
    """The ``register`` argument of a registration hook, which knows its plugin and role."""

    registry: Registry
    role: Role
    plugin: str

    def __call__(self, name: str, **declared: Any) -> None:
        """Check what a plugin declares and add it to the registry.

        Raises
        ------
        PluginError
            On a wrong or missing keyword, or a name that is taken.
        """
        for key, fault in self._faults(declared):
            raise PluginError(
                f"registering {self.role} {name!r}: {key!r} {fault}",
                where=f"plugin {self.plugin!r}",
                hint=f"give {', '.join(_REQUIRED[self.role])}, and options where there are any",
            )
        if "stands_in_for" in declared:
            declared["stands_in_for"] = StandsIn(declared["stands_in_for"])
        self.registry.add(Descriptor(name=name, role=self.role, plugin=self.plugin, **declared))

    def _faults(self, declared: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        required = _REQUIRED[self.role]
        yield from ((key, "is missing") for key in required if key not in declared)
        for key, value in declared.items():
            if key not in (*required, "options"):
                yield key, f"is unknown, {did_you_mean(key, (*required, 'options'))}"
            elif key in {"factory", "options"} and not _is_path(value):
                yield key, f"is {value!r}, not a string such as 'package.module:Name'"
            elif key == "stands_in_for" and value not in set(StandsIn):
                yield key, f"is {value!r}, not one of {', '.join(StandsIn)}"
            elif key == "order" and type(value) is not int:
                yield key, f"is {value!r}, not an integer"


_PLAIN = ("factory", "summary")
_REQUIRED = dict.fromkeys(Role, _PLAIN) | {
    Role.SURROGATE: (*_PLAIN, "stands_in_for", "component"),
    Role.POLICY: (*_PLAIN, "order"),
}


def _is_path(value: object) -> bool:
    return isinstance(value, str) and all(value.partition(":"))
