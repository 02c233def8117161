"""``tradewind train`` with ``surrogate: footprint-emulator``: from a file of footprints to a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, ValidationError

from tradewind.config import overrides as override
from tradewind.config.faults import config_error, faults_of
from tradewind.config.source import parse, read_text
from tradewind.couplers.assimilation import Progress
from tradewind.errors import DataError
from tradewind.plugins.options import FOLDER, Options, RelativePath

if TYPE_CHECKING:
    from tradewind.surrogates.footprints.files import FootprintHeader
    from tradewind.surrogates.footprints.fitting import FitPlan
    from tradewind.surrogates.footprints.observations import Footprints

SURROGATE = "footprint-emulator"


class FitSection(Options):
    """How the plume is fitted; see `tradewind.surrogates.footprints.fitting.FitPlan`."""

    firmness: tuple[NonNegativeFloat, ...] = Field(default=(0.1, 0.02), min_length=1)
    folds: int = Field(default=2, ge=2)
    iterations: PositiveInt = 30
    every: PositiveInt = 2


class FootprintTrainingConfig(Options):
    """What ``tradewind train`` reads for a footprint emulator.

    Attributes
    ----------
    surrogate
        What is trained.
    footprints
        NetCDF file of hours at inlets, their weather and their footprints.
    tracer
        Learn from this tracer alone; by default from all.
    plan
        How the plume is fitted.
    seed
        Deals blocks to the hold-outs that choose the firmness.
    output
        The checkpoint.
    """

    surrogate: Literal["footprint-emulator"]
    footprints: RelativePath
    tracer: str | None = None
    plan: FitSection = FitSection()
    seed: NonNegativeInt = 0
    output: RelativePath


@dataclass(frozen=True)
class TrainedFootprints:
    """What a training left behind."""

    path: Path
    header: FootprintHeader


def is_asked(path: Path | str, overrides: Sequence[str] = ()) -> bool:
    """Return whether a training config is for a footprint emulator."""
    file = Path(path)
    if any(text.replace(" ", "") == f"surrogate={SURROGATE}" for text in overrides):
        return True
    data, _ = parse(read_text(file), file)
    return isinstance(data, dict) and data.get("surrogate") == SURROGATE


def train(path: Path | str, overrides: Sequence[str], progress: Progress) -> TrainedFootprints:
    """Read the config and the footprints, fit, score and write.

    Raises
    ------
    ConfigError
        With every fault of the config.
    DataError
        When the footprints cannot be used.
    """
    from tradewind.surrogates.footprints.files import save_footprints
    from tradewind.surrogates.footprints.training import fit_count, train_footprints

    config, text = read_config(path, overrides)
    footprints = chosen(config)
    step = progress("fits of footprints", fit_count(footprints))
    emulator = train_footprints(footprints, _plan(config), provenance(config, footprints, text), step)
    save_footprints(config.output, emulator.knobs(), emulator.header)
    return TrainedFootprints(config.output, emulator.header)


def read_config(path: Path | str, overrides: Sequence[str] = ()) -> tuple[FootprintTrainingConfig, str]:
    """Read a training config; return it and its text.

    Raises
    ------
    ConfigError
        With every fault and its line.
    """
    file, model = Path(path), FootprintTrainingConfig
    text = read_text(file)
    data, source, faults = override.apply(*parse(text, file), overrides, model)
    try:
        config = model.model_validate(data, context={FOLDER: source.folder})
    except ValidationError as error:
        raise config_error([*faults, *faults_of(error, model)], source) from error
    if faults:
        raise config_error(faults, source)
    return config, text


def chosen(config: FootprintTrainingConfig) -> Footprints:
    """Return the hours that are learnt from.

    Raises
    ------
    DataError
        When the file cannot be used, or holds no hour of the tracer.
    """
    from tradewind.surrogates.footprints.observations import Footprints

    found = Footprints.read(config.footprints)
    if config.tracer is None:
        return found
    of_tracer = found.hours.tracer == config.tracer
    if not of_tracer.any():
        known = ", ".join(sorted(set(found.hours.tracer.tolist())))
        raise DataError(
            f"no hour is of the tracer {config.tracer!r}",
            where=str(config.footprints),
            hint=f"there are {known}",
        )
    return found[of_tracer]


def provenance(config: FootprintTrainingConfig, footprints: Footprints, text: str) -> dict[str, Any]:
    """Return where the footprints come from, for the header."""
    return {
        "file": config.footprints.name,
        "sha256": sha256(config.footprints.read_bytes()).hexdigest(),
        "hours": len(footprints),
        "dropped": footprints.dropped,
        "runs": sorted(set(footprints.hours.run.tolist())),
        "config": text,
    }


def _plan(config: FootprintTrainingConfig) -> FitPlan:
    from tradewind.surrogates.footprints.fitting import FitPlan

    return FitPlan(**config.plan.model_dump(), seed=config.seed)
