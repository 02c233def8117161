"""The plugin manager of one run."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import pluggy

from tradewind.couplers.ranks.parallel import Communicator, agree, as_communicator
from tradewind.errors import PluginError, did_you_mean
from tradewind.markers import PROJECT
from tradewind.plugins import discovery, hooks
from tradewind.plugins.discovery import Installed
from tradewind.plugins.registry import Blame, Descriptor, Registrar, Registry, Role

BUILTIN = "builtin"
BUILTIN_PATH = "tradewind.plugins.builtin"


@dataclass(frozen=True)
class Provenance:
    """Where a loaded plugin came from."""

    plugin: str
    version: str = ""
    file: str = ""
    sha256: str = ""


class PluginManager:
    """The plugins that one run names, and what they have registered.

    Make it with `load`; nothing is shared between two managers.
    """

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager(PROJECT)
        self._pluggy.add_hookspecs(hooks)
        self._registry = Registry()
        self._loaded: list[Provenance] = []

    @classmethod
    def load(
        cls, names: Sequence[str] = (), files: Sequence[Path] = (), comm: object | None = None
    ) -> PluginManager:
        """Load the built-in plugin and those that the run names, and no others.

        Parameters
        ----------
        names
            Entry points of the group ``tradewind.plugins``, or ``"module:object"``.
        files
            Plugins in single ``.py`` files; read on rank 0, executed from that text everywhere.
        comm
            An mpi4py communicator; None stands for a serial run.

        Raises
        ------
        PluginError
            When a plugin is missing, cannot be imported, or implements a hook that does not exist.
        """
        ranks = as_communicator(comm)
        found = _locate(dict.fromkeys(names), ranks)
        sources = discovery.read(tuple(dict.fromkeys(files)), ranks)
        manager = cls()
        with agree(ranks, "loading plugins"):
            for plugin in (Installed(BUILTIN, BUILTIN_PATH), *found):
                manager.register(plugin.name, _import(plugin), version=plugin.version)
            for source in sources:
                name, known = source.file.name, {"file": str(source.file), "sha256": source.sha256}
                manager.register(name, source.load(), **known)
        return manager

    def register(self, name: str, plugin: object, **known: str) -> None:
        """Take in one plugin (module or object) and let it register what it brings.

        Parameters
        ----------
        known
            Fields of its `Provenance`; version and file are taken from its module where they are absent.

        Raises
        ------
        PluginError
            When it implements no hook, an unknown one, or one with wrong arguments; when a name that it
            registers is taken.
        """
        where, hint = f"plugin {name!r}", "see tradewind.plugins.hooks for names and arguments"
        try:
            self._pluggy.register(plugin, name=name)
            self._pluggy.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(explain(error), where=where, hint=hint) from error
        self._check_registers(name, plugin)
        self._loaded.append(_provenance(name, plugin, known))
        self._collect(name, plugin)

    def _check_registers(self, name: str, plugin: object) -> None:
        callers = self._pluggy.get_hookcallers(plugin) or []
        if not callers:
            what, hint = (
                "implements no hook of tradewind",
                "mark its functions with @tradewind.markers.hookimpl",
            )
            raise PluginError(what, where=f"plugin {name!r}", hint=hint)
        for caller in callers:
            wraps = any(h.wrapper or h.hookwrapper for h in caller.get_hookimpls() if h.plugin is plugin)
            if wraps or caller.name not in {role.hook for role in Role}:
                raise PluginError(
                    f"{caller.name} would never be called here",
                    where=f"plugin {name!r}",
                    hint="register a factory, plainly: what it builds answers or wraps steps",
                )

    def _collect(self, name: str, plugin: object) -> None:
        for role in Role:
            # pluggy would call all plugins at once, and then a registrar could not tell whose name it is
            for hook in getattr(self._pluggy.hook, role.hook).get_hookimpls():
                if hook.plugin is plugin:
                    self._call(name, role, hook)

    def _call(self, name: str, role: Role, hook: pluggy.HookImpl) -> None:
        with Blame(name, f"{role.hook} failed", "mend the plugin, or take it out of `plugins:`"):
            registrar = Registrar(self._registry, role, name)
            hook.function(**dict.fromkeys(hook.argnames, registrar))

    def available(self, role: Role | None = None) -> tuple[Descriptor, ...]:
        """Return what is registered (in `role`), sorted by role and name."""
        return tuple(d for d in self._registry if role is None or d.role is role)

    def descriptor(self, role: Role, name: str, *others: Role) -> Descriptor:
        """Return what is registered as `name` in `role`, or else in one of the `others`.

        Raises
        ------
        PluginError
            When nothing is; names the nearest and the plugins that are loaded.
        """
        try:
            return self._registry.find(name, role, *others)
        except PluginError as error:
            loaded = ", ".join(p.plugin for p in self._loaded)
            hint = f"{error.hint}; loaded plugins: {loaded}; others must be listed under `plugins:`"
            raise PluginError(error.what, where=error.where, hint=hint) from None

    def provenance(self) -> tuple[Provenance, ...]:
        """Return where each loaded plugin came from, in order of loading."""
        return tuple(self._loaded)


def _import(plugin: Installed) -> object:
    with Blame(plugin.name, f"{plugin.path!r} cannot be imported", "mend it, or take it out of `plugins:`"):
        module, _, name = plugin.path.partition(":")
        found: object = import_module(module)
        found = attrgetter(name)(found) if name else found
        return found() if isinstance(found, type) else found


def _locate(names: Iterable[str], comm: Communicator) -> list[Installed]:
    """Return paths of all names; metadata is touched only when a name needs it."""
    wanted = [n for n in names if n != BUILTIN]
    known = discovery.installed(comm) if any(":" not in n for n in wanted) else ()
    return [Installed(n, n) if ":" in n else discovery.pick(n, known) for n in wanted]


def explain(error: Exception) -> str:
    """Return pluggy's complaint on one line, with the nearest hook name where it is about an unknown one."""
    unknown = re.search(r"unknown hook '(\w+)'", str(error))
    if unknown is None:
        return " ".join(str(error).split())
    known = [n for n in vars(hooks) if n.startswith(f"{PROJECT}_")]
    return f"there is no hook {unknown[1]!r}, {did_you_mean(unknown[1], known)}"


def _provenance(name: str, plugin: object, known: Mapping[str, str]) -> Provenance:
    module = plugin if isinstance(plugin, ModuleType) else sys.modules.get(type(plugin).__module__)
    version, file = (getattr(module, key, None) or "" for key in ("__version__", "__file__"))
    return Provenance(name, **{"version": version, "file": file} | {k: v for k, v in known.items() if v})
