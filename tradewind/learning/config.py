"""The config of ``tradewind train``: which model, which weather, which network, which plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError

from tradewind.config import overrides as override
from tradewind.config.faults import config_error, faults_of
from tradewind.config.sections.values import Date, Duration
from tradewind.config.source import parse, read_text
from tradewind.plugins.options import FOLDER, Options, RelativePath
from tradewind.plugins.transport.options import TransportOptions


class PeriodSection(Options):
    """Windows of real weather between two times, and how many cells are drawn for each window end."""

    start: Date
    stop: Date
    per_time: PositiveInt


class SimulatedSection(Options):
    """Situations of simulated weather drawn from the training period, and cells drawn in each."""

    situations: NonNegativeInt = 60
    per_situation: PositiveInt = 96


class SynopticSection(Options):
    """Situations of idealised waves and pressure systems, and cells drawn in each."""

    situations: NonNegativeInt = 0
    per_situation: PositiveInt = 32


class ClimatologySection(Options):
    """Situations around monthly winds, and cells drawn in each.

    Attributes
    ----------
    file
        ``monthly_navy_winds.cdf`` of the Debian package ``ferret-datasets``; where it is absent, these
        situations are left out, and the checkpoint says so.
    """

    situations: NonNegativeInt = 0
    per_situation: PositiveInt = 32
    file: RelativePath = Path("/usr/share/ferret-vis/data/monthly_navy_winds.cdf")


class SamplesSection(Options):
    """Where samples come from.

    Attributes
    ----------
    train, validation, test
        Real weather: of the training, of early stopping and the error model, of the scores.
    simulated, synoptic, climatology
        More weather for the training: mixtures of the training period's anomalies, idealised synoptic
        flow, and climatological winds.
    keep
        File that keeps the samples, so that a second network need not wait for the reference model.
    """

    train: PeriodSection
    validation: PeriodSection
    test: PeriodSection
    simulated: SimulatedSection = SimulatedSection()
    synoptic: SynopticSection = SynopticSection()
    climatology: ClimatologySection = ClimatologySection()
    keep: RelativePath | None = None


class PlanSection(Options):
    """The training's plan; see `tradewind.surrogates.training.TrainingPlan`."""

    epochs: PositiveInt = 40
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 1e-3
    weight_decay: float = Field(default=1e-4, ge=0)
    patience: PositiveInt = 10


class TrainingConfig(Options):
    """What ``tradewind train`` reads.

    Attributes
    ----------
    surrogate
        What is trained.
    network, network_options
        Kind of network and its constructor's options.
    transport
        The reference model.
    window
        Time over which sources emit.
    output
        The checkpoint.
    """

    surrogate: Literal["jacobian-emulator"] = "jacobian-emulator"
    network: Literal["compact", "operator", "published"] = "compact"
    network_options: dict[str, Any] = Field(default_factory=dict)
    transport: TransportOptions
    window: Duration
    samples: SamplesSection
    plan: PlanSection = PlanSection()
    seed: NonNegativeInt = 0
    output: RelativePath


def read_training_config(path: Path | str, overrides: Sequence[str] = ()) -> tuple[TrainingConfig, str]:
    """Read a training config; return it and its text.

    Raises
    ------
    ConfigError
        With every fault and its line.
    """
    file = Path(path)
    text = read_text(file)
    data, source, faults = override.apply(*parse(text, file), overrides, TrainingConfig)
    try:
        config = TrainingConfig.model_validate(data, context={FOLDER: source.folder})
    except ValidationError as error:
        raise config_error([*faults, *faults_of(error, TrainingConfig)], source) from error
    if faults:
        raise config_error(faults, source)
    return config, text
