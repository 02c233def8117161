"""``tradewind train``: a training set from the reference model, a network, a checkpoint that can be trusted.

The scales, the domain of validity and early stopping see the training period only (early stopping its last
days, kept out of the training); the error model is fitted on those last days; the test period is used once,
for the scores in the header.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError

from tradewind.config import overrides as override
from tradewind.config.faults import config_error, faults_of
from tradewind.config.sections.values import Date, Duration
from tradewind.config.source import ConfigSource, parse, read_text
from tradewind.couplers.assimilation import Progress
from tradewind.plugins.options import FOLDER, Options, RelativePath
from tradewind.plugins.transport.options import TransportOptions

if TYPE_CHECKING:
    from tradewind.plugins.jacobian_emulator.samples import Period, SampleMaker
    from tradewind.surrogates.checkpoint import CheckpointHeader
    from tradewind.surrogates.datasets import Samples
    from tradewind.surrogates.networks import WindowNetwork
    from tradewind.surrogates.training import TrainingPlan


class PeriodSection(Options):
    """Windows of real weather between two times, and how many cells are drawn for each window end."""

    start: Date
    stop: Date
    per_time: PositiveInt


class SimulatedSection(Options):
    """Situations of simulated weather drawn from the training period, and cells drawn in each."""

    situations: NonNegativeInt = 60
    per_situation: PositiveInt = 96


class SamplesSection(Options):
    """Where samples come from.

    Attributes
    ----------
    keep
        File that keeps the samples, so that a second network need not wait for the reference model.
    """

    train: PeriodSection
    validation: PeriodSection
    test: PeriodSection
    simulated: SimulatedSection = SimulatedSection()
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
    network: Literal["compact", "published"] = "compact"
    network_options: dict[str, Any] = Field(default_factory=dict)
    transport: TransportOptions
    window: Duration
    samples: SamplesSection
    plan: PlanSection = PlanSection()
    seed: NonNegativeInt = 0
    output: RelativePath


@dataclass(frozen=True)
class Trained:
    """What a training left behind."""

    path: Path
    header: CheckpointHeader


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


def run_training(
    path: Path | str, overrides: Sequence[str] = (), progress: Progress | None = None
) -> Trained:
    """Make the samples, train the network and write its checkpoint.

    Raises
    ------
    ConfigError
        With every fault of the config.
    TrainingError
        When the loss is not finite.
    """
    config, text = read_training_config(path, overrides)
    return Training(config, text).run(progress or _silent)


def _silent(name: str, length: int) -> Any:
    return lambda: None


class Training:
    """One training, from its config to the checkpoint.

    Parameters
    ----------
    config
        All settings.
    text
        The config as written, for the checkpoint's provenance.
    """

    def __init__(self, config: TrainingConfig, text: str = "") -> None:
        self.config, self.text = config, text

    def run(self, progress: Progress) -> Trained:
        """Make samples, train, score and write."""
        from tradewind.surrogates.checkpoint import save_checkpoint
        from tradewind.surrogates.progress import Bar
        from tradewind.surrogates.training import train

        sets = self.samples(progress)
        network = self.network(sets["train"])
        plan = self.plan()
        train(
            network,
            sets["train"],
            sets["validation"],
            plan,
            Bar(f"training the {self.config.network} network"),
        )
        header = self.header(network, sets)
        save_checkpoint(self.config.output, network, header)
        return Trained(self.config.output, header)

    # ------------------------------------------------------------------ samples
    def samples(self, progress: Progress) -> Mapping[str, Samples]:
        """Return the training, validation and test sets, read from ``samples.keep`` where it fits."""
        from tradewind.surrogates.kept import kept_samples

        keep = self.config.samples.keep
        return kept_samples(keep, self.key(), lambda: self.make(progress))

    def key(self) -> str:
        """Return a hash of everything that the samples depend on."""
        import hashlib

        weather = hashlib.sha256(self.config.transport.weather.read_bytes()).hexdigest()
        settings = self.config.model_dump_json(
            include={
                "transport": True,
                "window": True,
                "samples": {"train", "validation", "test", "simulated"},
                "seed": True,
            },
            exclude={"transport": {"weather"}},
        )
        return hashlib.sha256((weather + settings).encode()).hexdigest()

    def make(self, progress: Progress) -> Mapping[str, Samples]:
        """Ask the reference model for all samples."""
        from tradewind.plugins.jacobian_emulator.samples import joined

        sets = self.config.samples
        maker, seed = self.maker(), 100_000 * (self.config.seed + 1)
        parts = {
            "train": [
                *_each(progress, "real weather", maker.real(_period(sets.train), sets.train.per_time, seed)),
                *_each(progress, "simulated weather", self._simulated(maker, seed + 10_000)),
            ],
            "validation": list(maker.real(_period(sets.validation), sets.validation.per_time, seed + 30_000)),
            "test": list(maker.real(_period(sets.test), sets.test.per_time, seed + 40_000)),
        }
        return {name: joined(some) for name, some in parts.items()}

    def _simulated(self, maker: SampleMaker, seed: int) -> Iterator[Samples]:
        sets = self.config.samples
        return maker.simulated(
            _period(sets.train), sets.simulated.situations, sets.simulated.per_situation, seed
        )

    def maker(self) -> SampleMaker:
        """Return what asks the reference model."""
        from tradewind.plugins.jacobian_emulator.samples import SampleMaker
        from tradewind.plugins.transport.model import Transport

        return SampleMaker(Transport(self.config.transport), self.config.window)

    # ------------------------------------------------------------------ network
    def network(self, train_set: Samples) -> WindowNetwork:
        """Return the untrained network, with scales fitted on the training set only."""
        from tradewind.surrogates.networks import build_network
        from tradewind.surrogates.normalisation import Normalisation
        from tradewind.surrogates.seeds import seeded

        scales = Normalisation.fit(train_set.windows.x, train_set.target)
        with seeded(self.config.seed):
            return build_network(self.config.network, self.network_options(), scales)

    def network_options(self) -> dict[str, Any]:
        """Return the network's options: what the model's window and cells imply, then the config's own."""
        options = dict(self.config.network_options)
        if self.config.network == "compact":
            hours = self.config.window.total_seconds() / 3600
            implied = {"hours": hours, "spacing": self.config.transport.spacing}
            options["plume"] = implied | dict(options.get("plume", {}))
        return options

    def plan(self) -> TrainingPlan:
        """Return the plan of the training."""
        from tradewind.surrogates.training import TrainingPlan

        return TrainingPlan(**self.config.plan.model_dump(), seed=self.config.seed)

    def header(self, network: WindowNetwork, sets: Mapping[str, Samples]) -> CheckpointHeader:
        """Return everything that the checkpoint says about its network."""
        from tradewind.plugins.jacobian_emulator.surrogate import reference_settings
        from tradewind.surrogates.checkpoint import CheckpointHeader
        from tradewind.surrogates.domain import Domain
        from tradewind.surrogates.held_out import fit_error_model, held_out_scores
        from tradewind.surrogates.surrogate import describe

        period = self.config.samples.train
        provenance = {
            "reference": reference_settings(self.config.transport, self.config.window),
            "samples": {name: {"count": len(part), "sha256": part.digest()} for name, part in sets.items()},
            "plan": self.plan().summary(),
            "config": self.text,
        }
        return CheckpointHeader(
            **describe(network),
            training_period=(period.start.isoformat(), period.stop.isoformat()),
            provenance=provenance,
            seed=self.config.seed,
            scores=held_out_scores(network, sets["test"]),
            domain=Domain.fit(sets["train"].windows).bounds(),
            error=fit_error_model(network, sets["validation"]),
        )


def _period(section: PeriodSection) -> Period:
    from tradewind.plugins.jacobian_emulator.samples import Period

    return Period(section.start, section.stop)


def _each(progress: Progress, name: str, parts: Iterator[Samples]) -> Iterator[Samples]:
    """Pass parts on and show that they come; how many there will be is not known beforehand."""
    step = progress(f"samples of {name}", 100)
    for part in parts:
        yield part
        step()


__all__ = ["ConfigSource", "Trained", "Training", "TrainingConfig", "read_training_config", "run_training"]
