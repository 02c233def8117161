"""The one training loop: seeds, schedule, early stopping, and a best state that is never lost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch

from tradewind.errors import ConfigError, TradewindError
from tradewind.surrogates.datasets import Samples, across_the_equator, mirrored
from tradewind.surrogates.early_stopping import EarlyStopping
from tradewind.surrogates.evaluation import evaluate_in_blocks
from tradewind.surrogates.losses import Loss, RelativeL2
from tradewind.surrogates.networks.base import WindowNetwork
from tradewind.surrogates.progress import Epoch, Progress

Augmentation = Callable[[Samples, torch.Generator], Samples]
WeightState = Mapping[str, torch.Tensor]


class TrainingError(TradewindError, ArithmeticError):
    """Training cannot go on (the loss is not finite)."""


def mirror_at_random(batch: Samples, generator: torch.Generator) -> Samples:
    """Mirror about half of the batch in longitude, and independently half in latitude.

    Both are exact symmetries of transport, so four weathers are learned from each one.
    """
    east, north = torch.rand(2, len(batch), generator=generator) < 0.5
    return across_the_equator(mirrored(batch, east), north)


def unchanged(batch: Samples, generator: torch.Generator) -> Samples:
    """Return the batch as it is."""
    return batch


@dataclass(frozen=True)
class TrainingPlan:
    """All that decides the outcome of a training, besides the network and the samples.

    Attributes
    ----------
    learning_rate
        Peak rate of AdamW; it rises over `warmup` of the steps, then falls as a cosine to nearly nothing.
    patience
        Epochs without a better validation score before training stops.
    seed
        Of the initial weights, where the caller builds the network inside `seeded`, of the order of the
        samples and of the augmentation.
    loss
        What the steps make small, and what scores an epoch on the validation set.
    clip
        Largest norm of a gradient; longer ones are shortened.

    Raises
    ------
    ConfigError
        When a value cannot be used.
    """

    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    patience: int = 10
    seed: int = 0
    loss: Loss = field(default_factory=RelativeL2)
    augmentation: Augmentation = mirror_at_random
    warmup: float = 0.05
    clip: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "patience", "clip"):
            if not getattr(self, name) > 0:
                raise ConfigError(
                    f"{name} must be positive, not {getattr(self, name)}", where="training plan"
                )
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup must be in [0, 1), not {self.warmup}", where="training plan")

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of one of `steps` steps."""
        warm = max(1, round(self.warmup * steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    def summary(self) -> dict[str, str | int | float]:
        """Return the plan as plain values, for the header of a checkpoint."""
        plain = {k: v for k, v in vars(self).items() if isinstance(v, int | float | str)}
        return {**plain, "loss": repr(self.loss), "augmentation": self.augmentation.__name__}


@dataclass(frozen=True)
class TrainingResult:
    """What a training gives; the network itself is left in its best state.

    Attributes
    ----------
    history
        Losses of every epoch.
    best_epoch, best_score
        The epoch with the smallest validation loss, and that loss.
    best_state
        The weights of that epoch.
    """

    history: tuple[Epoch, ...]
    best_epoch: int
    best_score: float
    best_state: WeightState


def train(
    network: WindowNetwork,
    train_set: Samples,
    validation_set: Samples,
    plan: TrainingPlan,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train `network` in place and leave it in its best state.

    Two trainings from the same initial weights give the same bits at the same number of threads.

    Parameters
    ----------
    network
        Trained in place.
    train_set, validation_set
        The samples to learn from, and those that score each epoch.
    plan
        Everything else.
    progress
        Told of the course; may write checkpoints.

    Raises
    ------
    ConfigError
        When a set is empty.
    TrainingError
        When the loss is not finite; names epoch and batch.
    """
    _check_sets(train_set, validation_set)
    told = progress or Progress()
    batches = math.ceil(len(train_set) / plan.batch_size)
    told.started(plan.epochs, batches)
    try:
        return _Trainer(network, plan, batches).run(train_set, validation_set, told)
    finally:
        told.finished()


def _check_sets(train_set: Samples, validation_set: Samples) -> None:
    for name, samples in (("training", train_set), ("validation", validation_set)):
        if not len(samples):
            raise ConfigError(f"the {name} set is empty", where="training")


def score(network: WindowNetwork, samples: Samples, loss: Loss) -> float:
    """Return the mean loss over a set, with the network as it is."""
    predicted = evaluate_in_blocks(network, samples.windows.x, samples.windows.latitude)
    return float(loss(predicted, samples.target))


class _Trainer:
    """The loop's moving parts: optimiser, step counter, random streams."""

    def __init__(self, network: WindowNetwork, plan: TrainingPlan, batches: int) -> None:
        self.network, self.plan = network, plan
        self.steps, self.step = plan.epochs * batches, 0
        self.generator = torch.Generator().manual_seed(plan.seed)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
        )

    def run(self, train_set: Samples, validation_set: Samples, told: Progress) -> TrainingResult:
        stopping = EarlyStopping(self.plan.patience)
        history: list[Epoch] = []
        best: WeightState = {}
        while len(history) < self.plan.epochs and not (history and stopping.exhausted):
            history.append(self._epoch(len(history), train_set, validation_set, told))
            if stopping.improved(history[-1].validation_loss):
                best = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
                told.improved(self.network, history[-1])
            told.epoch(history[-1], stopping.best)
        self.network.load_state_dict(best)
        return TrainingResult(tuple(history), stopping.best_epoch, stopping.best, best)

    def _epoch(self, number: int, train_set: Samples, validation_set: Samples, told: Progress) -> Epoch:
        self.network.train()
        total = 0.0
        for k, batch in enumerate(self._batches(train_set)):
            loss = self._learn(batch, f"epoch {number}, batch {k}")
            total += loss * len(batch)
            told.batch(loss)
        validation = score(self.network, validation_set, self.plan.loss)
        _check_finite(validation, f"epoch {number}, validation")
        return Epoch(number, total / len(train_set), validation)

    def _batches(self, samples: Samples) -> Iterator[Samples]:
        order = torch.randperm(len(samples), generator=self.generator)
        for indices in torch.split(order, self.plan.batch_size):
            yield self.plan.augmentation(samples.select(indices), self.generator)

    def _learn(self, batch: Samples, where: str) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.rate(self.step, self.steps)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.plan.loss(self.network(batch.windows.x, batch.windows.latitude), batch.target)
        _check_finite(loss.item(), where)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.clip, error_if_nonfinite=False)
        self.optimiser.step()
        self.step += 1
        return loss.item()


def _check_finite(loss: float, where: str) -> None:
    if not math.isfinite(loss):
        raise TrainingError(f"the loss is {loss}", where=where, hint="lower the learning rate")
