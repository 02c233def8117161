"""``tradewind train``: a training set from the reference model, a network, a checkpoint that can be trusted.

The scales, the domain of validity and early stopping see the training period only (early stopping its last
days, kept out of the training); the error model is fitted on those last days; the test period is used once,
for the scores in the header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradewind.couplers.assimilation import Progress
from tradewind.learning import footprints as footprint_training
from tradewind.learning.config import PeriodSection, TrainingConfig, read_training_config
from tradewind.learning.footprints import TrainedFootprints

if TYPE_CHECKING:
    from tradewind.plugins.jacobian_emulator.samples import Period, SampleMaker
    from tradewind.surrogates.calibration.places import Places
    from tradewind.surrogates.checkpoint import CheckpointHeader
    from tradewind.surrogates.datasets import Samples
    from tradewind.surrogates.networks import WindowNetwork
    from tradewind.surrogates.training import TrainingPlan

LAYERED = 2
"""Sources at a time from which it is told how mass is shared among layers."""


@dataclass(frozen=True)
class Trained:
    """What a training left behind."""

    path: Path
    header: CheckpointHeader


def run_training(
    path: Path | str, overrides: Sequence[str] = (), progress: Progress | None = None
) -> Trained | TrainedFootprints:
    """Make the samples, train the network and write its checkpoint; or fit an emulator of footprints.

    Raises
    ------
    ConfigError
        With every fault of the config.
    TrainingError
        When the loss is not finite.
    """
    if footprint_training.is_asked(path, overrides):
        return footprint_training.train(path, overrides, progress or _silent)
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
        # asked at every improvement, and a gigabyte of samples takes seconds
        self._domain, self._digest = _Once(_domain_of), _Once(_digest_of)

    def run(self, progress: Progress) -> Trained:
        """Make samples, train, score and write."""
        from tradewind.surrogates.checkpoint import save_checkpoint
        from tradewind.surrogates.progress import Bar, KeepBest, Together
        from tradewind.surrogates.training import train

        sets = self.samples(progress)
        network = self.network(sets["train"])
        kept = self.unfinished
        keep = KeepBest(kept, lambda best, line: self.header(best, sets, epoch=line.number))
        told = Together([Bar(f"training the {self.config.network} network"), keep])
        train(network, sets["train"], sets["validation"], self.plan(), told)
        header = self.header(network, sets)
        save_checkpoint(self.config.output, network, header)
        kept.unlink(missing_ok=True)
        return Trained(self.config.output, header)

    @property
    def unfinished(self) -> Path:
        """Checkpoint of the best epoch so far; it stays behind where a training is cut short."""
        output = self.config.output
        return output.with_name(f"{output.stem}.unfinished{output.suffix}")

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
                "samples": {"train", "validation", "test", "simulated", "synoptic", "climatology"},
                "seed": True,
            },
            exclude={"transport": {"weather"}, "samples": {"climatology": {"file"}}},
        )
        return hashlib.sha256((weather + str(self.climatology()) + settings).encode()).hexdigest()

    def climatology(self) -> dict[str, str]:
        """Return name and hash of the climatological winds, or why there are none; empty if none are asked.

        The training goes on without a file that is absent: not every machine has the package.
        """
        from tradewind.plugins.jacobian_emulator.weather.climatology import PACKAGE, digest

        section = self.config.samples.climatology
        if not section.situations:
            return {}
        if not section.file.is_file():
            return {"file": section.file.name, "skipped": f"not found; the package {PACKAGE} brings it"}
        return {"file": section.file.name, "sha256": digest(section.file)}

    def weather(self) -> dict[str, Any]:
        """Return how many situations each kind of weather gave to the training, and of which file."""
        sets = self.config.samples
        counts = {
            "simulated": sets.simulated.situations,
            "synoptic": sets.synoptic.situations,
            "climatology": sets.climatology.situations,
        }
        return {"situations": counts, "climatology": self.climatology()}

    def make(self, progress: Progress) -> Mapping[str, Samples]:
        """Ask the reference model for all samples."""
        from tradewind.plugins.jacobian_emulator.samples import joined

        maker, seeds = self.maker(), self.seeds
        parts = {
            "train": [
                *_each(progress, "real weather", self._real(maker, "train")),
                *_each(progress, "simulated weather", self._simulated(maker, seeds["simulated"])),
                *self._more(maker, progress),
            ],
            "validation": list(self._real(maker, "validation")),
            "test": list(self._real(maker, "test")),
        }
        return {name: joined(some) for name, some in parts.items()}

    @property
    def seeds(self) -> Mapping[str, int]:
        """First seed of each kind of samples; none reaches into the next."""
        first = 100_000 * (self.config.seed + 1)
        kinds = ("train", "simulated", "", "validation", "test", "synoptic", "climatology")
        return {kind: first + 10_000 * k for k, kind in enumerate(kinds) if kind}

    def _real(self, maker: SampleMaker, part: str) -> Iterator[Samples]:
        section: PeriodSection = getattr(self.config.samples, part)
        return maker.real(_period(section), section.per_time, self.seeds[part])

    def _simulated(self, maker: SampleMaker, seed: int) -> Iterator[Samples]:
        sets = self.config.samples
        return maker.simulated(
            _period(sets.train), sets.simulated.situations, sets.simulated.per_situation, seed
        )

    def _more(self, maker: SampleMaker, progress: Progress) -> Iterator[Samples]:
        """Yield samples of weather that no analysis holds, where the config asks for them."""
        from tradewind.plugins.jacobian_emulator.weather.climatology import MonthlyWinds

        sets, seeds = self.config.samples, self.seeds
        synoptic, climatology = sets.synoptic, sets.climatology
        if synoptic.situations:
            size = (synoptic.situations, synoptic.per_situation)
            yield from _each(
                progress, "synoptic flow", maker.synoptic(_period(sets.train), *size, seeds["synoptic"])
            )
        if "sha256" in self.climatology():
            size = (climatology.situations, climatology.per_situation)
            monthly = MonthlyWinds.read(climatology.file)
            parts = maker.climatological(_period(sets.train), monthly, *size, seeds["climatology"])
            yield from _each(progress, "climatological winds", parts)
        elif climatology.situations:
            progress("no climatological winds: the file is not there", 1)()

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
        hours = self.config.window.total_seconds() / 3600
        implied = {"hours": hours, "spacing": self.config.transport.spacing}
        if self.config.network != "published":
            guess = "puffs" if "puffs" in options or self.config.network == "operator" else "plume"
            options[guess] = implied | dict(options.get(guess, {}))
        return options

    def plan(self) -> TrainingPlan:
        """Return the plan of the training."""
        from tradewind.surrogates.training import TrainingPlan

        return TrainingPlan(**self.config.plan.model_dump(), seed=self.config.seed)

    def header(
        self, network: WindowNetwork, sets: Mapping[str, Samples], epoch: int | None = None
    ) -> CheckpointHeader:
        """Return everything that the checkpoint says about its network.

        Parameters
        ----------
        epoch
            Of a training that still goes on: the test set is not looked at then.
        """
        from tradewind.surrogates.checkpoint import CheckpointHeader
        from tradewind.surrogates.held_out import held_out_scores
        from tradewind.surrogates.surrogate import describe

        period, domain = self.config.samples.train, self._domain(sets["train"])
        return CheckpointHeader(
            **describe(network),
            training_period=(period.start.isoformat(), period.stop.isoformat()),
            provenance=self.provenance(sets, epoch),
            seed=self.config.seed,
            scores=held_out_scores(network, sets["test"]) if epoch is None else {},
            domain=domain,
            **self._errors(network, sets["validation"], epoch),
        )

    def _errors(self, network: WindowNetwork, samples: Samples, epoch: int | None) -> dict[str, Any]:
        """Return what the validation samples say of the errors; at the end of the training, all of it."""
        from tradewind.surrogates.calibration.fitting import calibrated
        from tradewind.surrogates.held_out import fit_error_model

        if epoch is not None:
            return {"error": fit_error_model(network, samples)}
        found = calibrated(network, samples, self.places())
        return {"error": found.error, "calibration": found.calibration}

    def places(self) -> Places:
        """Return where the validation samples lie, in their order, and which of them end at one time."""
        from tradewind.surrogates.calibration.places import Places

        maker, section = self.maker(), self.config.samples.validation
        ends = _period(section).ends(maker.transport.flows.weather, self.config.window)
        drawn = [maker.cells(section.per_time, self.seeds["validation"] + k) for k in range(len(ends))]
        cells = _tensor([cell for some in drawn for cell in some])
        situation = _tensor([k for k, some in enumerate(drawn) for _ in some])
        return Places(situation, cells[:, 0], cells[:, 1])

    def provenance(self, sets: Mapping[str, Samples], epoch: int | None = None) -> dict[str, Any]:
        """Return which model, samples and weather, plan and config a network comes from."""
        from tradewind.plugins.jacobian_emulator.surrogate import reference_settings

        return {
            "reference": reference_settings(self.config.transport, self.config.window),
            "samples": {
                name: {"count": len(part), "sha256": self._digest(part)} for name, part in sets.items()
            },
            "weather": self.weather(),
            "plan": self.plan().summary(),
            "config": self.text,
        } | (self.layers() if epoch is None else {"unfinished_after_epoch": epoch})

    def layers(self) -> dict[str, Any]:
        """Return how the reference model shares mass among layers, in the training's period."""
        from tradewind.plugins.jacobian_emulator.layers import KEY, measure

        shares = measure(self.maker(), _period(self.config.samples.train), LAYERED, self.seeds["train"])
        return {KEY: shares.told()}


class _Once:
    """Asks a function once for each set of samples, which are known by identity."""

    def __init__(self, function: Callable[[Samples], Any]) -> None:
        self.function = function
        self.known: dict[int, tuple[Samples, Any]] = {}

    def __call__(self, samples: Samples) -> Any:
        if id(samples) not in self.known:
            self.known[id(samples)] = (samples, self.function(samples))
        return self.known[id(samples)][1]


def _tensor(numbers: Sequence[Any]) -> Any:
    """Return numbers as a tensor; torch is loaded only where samples are made."""
    import torch

    return torch.tensor(numbers)


def _domain_of(samples: Samples) -> Any:
    from tradewind.surrogates.domain import Domain

    return Domain.fit(samples.windows).bounds()


def _digest_of(samples: Samples) -> str:
    return samples.digest()


def _period(section: PeriodSection) -> Period:
    from tradewind.plugins.jacobian_emulator.samples import Period

    return Period(section.start, section.stop)


def _each(progress: Progress, name: str, parts: Iterator[Samples]) -> Iterator[Samples]:
    """Pass parts on and show that they come; how many there will be is not known beforehand."""
    step = progress(f"samples of {name}", 100)
    for part in parts:
        yield part
        step()


__all__ = ["Trained", "Training", "TrainingConfig", "read_training_config", "run_training"]
