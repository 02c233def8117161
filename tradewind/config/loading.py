"""From a file to a run config, with everything that is wrong with it reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from tradewind.config import overrides as override
from tradewind.config.choices import validate_choices, validated
from tradewind.config.faults import Fault, config_error, faults_of
from tradewind.config.sections.models import SOURCE, RunConfig
from tradewind.config.source import ConfigSource, parse, read_text
from tradewind.config.structure import structure_faults
from tradewind.couplers.ranks.parallel import as_communicator
from tradewind.errors import PluginError
from tradewind.plugins.discovery import on_root
from tradewind.plugins.manager import PluginManager
from tradewind.plugins.options import FOLDER


class Survey(NamedTuple):
    """A run config as far as it can be used, with everything that is wrong with it.

    Attributes
    ----------
    config
        Without the keys that are not known; None where more than that is wrong with its sections.
    manager
        The plugins that it names; None where one could not be loaded.
    """

    config: RunConfig | None
    manager: PluginManager | None
    source: ConfigSource
    faults: list[Fault]


class Written(NamedTuple):
    """A run config as written: plain values, where they stand, and faults found so far."""

    data: dict[str, Any]
    source: ConfigSource
    faults: list[Fault]


def load_config(path: Path | str, overrides: Sequence[str] = (), comm: object | None = None) -> RunConfig:
    """Read a run config and check its structure; no plugin is loaded, their options stay as written.

    Parameters
    ----------
    path
        A YAML 1.2 file.
    overrides
        Settings that replace those of the file, such as ``"components.transport.run_as=reference"``.
    comm
        An mpi4py communicator, whose rank 0 reads the file; None stands for a serial run.

    Raises
    ------
    ConfigError
        With everything that is wrong in ``faults``.
    """
    return _finish(_read(path, overrides, comm))


def open_config(
    path: Path | str, overrides: Sequence[str] = (), comm: object | None = None
) -> tuple[RunConfig, PluginManager]:
    """Read a run config, load the plugins that it names, and validate their options too.

    In the config returned, ``options`` and ``surrogate_options`` are instances of the options models that
    the plugins registered. Parameters are those of `load_config`.

    Raises
    ------
    ConfigError
        With everything that is wrong in ``faults``, in the order of the lines.
    """
    config, manager, source, faults = survey_config(path, overrides, comm)
    if config is None or manager is None or faults:
        raise config_error(faults, source)
    return config, manager


def survey_config(path: Path | str, overrides: Sequence[str] = (), comm: object | None = None) -> Survey:
    """Return what `open_config` would, as far as it can be used, and the faults instead of an error.

    So a misspelled key does not hide what is wrong with the data that the other keys name.

    Raises
    ------
    ConfigError
        When the file cannot be read, or is no YAML.
    """
    written = _read(path, overrides, comm)
    data, faults = deepcopy(written.data), list(written.faults)
    manager = None
    try:
        manager = _load_plugins(written, comm)
        faults += validate_choices(data, manager, written.source.folder)
    except PluginError as error:
        faults.append(Fault(("plugins", *_culprit(written, error)), str(error)))
    config, found = _validate(written._replace(data=data))
    return Survey(config, manager, written.source, [*faults, *structure_faults(written.data), *found])


def _read(path: Path | str, overrides: Sequence[str], comm: object | None) -> Written:
    file = Path(path)
    text = on_root(as_communicator(comm), lambda: read_text(file))
    return Written(*override.apply(*parse(text, file), overrides))


def _finish(written: Written) -> RunConfig:
    config, faults = _validate(written)
    faults = [*written.faults, *structure_faults(written.data), *faults]
    if config is None or faults:
        raise config_error(faults, written.source)
    return config


def _validate(written: Written) -> tuple[RunConfig | None, list[Fault]]:
    config, error = validated(RunConfig, written.data, _context(written.source))
    return config, [] if error is None else list(faults_of(error, RunConfig))


def _context(source: ConfigSource) -> Mapping[str, Any]:
    return {FOLDER: source.folder, SOURCE: source}


def _named(written: Written) -> list[str]:
    plugins = written.data.get("plugins")
    return [p for p in plugins if isinstance(p, str)] if isinstance(plugins, list) else []


def _culprit(written: Written, error: PluginError) -> tuple[int, ...]:
    """Return the position in `plugins:` of the one that `error` is about, where it can be told."""
    return next(((i,) for i, name in enumerate(_named(written)) if Path(name).name in str(error)), ())


def _load_plugins(written: Written, comm: object | None) -> PluginManager:
    named, folder = _named(written), written.source.folder
    files = [folder / name for name in named if name.endswith(".py")]
    return PluginManager.load([name for name in named if not name.endswith(".py")], files, comm)
