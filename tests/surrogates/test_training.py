"""The one training loop."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tradewind.errors import ConfigError
from tradewind.surrogates.losses import RelativeL2
from tradewind.surrogates.networks import PublishedNetwork
from tradewind.surrogates.progress import Progress
from tradewind.surrogates.training import (
    TrainingError,
    TrainingPlan,
    mirror_at_random,
    score,
    train,
    unchanged,
)

QUICK = TrainingPlan(epochs=3, batch_size=4, learning_rate=3e-3, patience=3, seed=5)


class Notes(Progress):
    """Writes down what it is told."""

    def __init__(self):
        self.told = []

    def started(self, epochs, batches):
        self.told.append(("started", epochs, batches))

    def batch(self, loss):
        self.told.append(("batch",))

    def epoch(self, line, best):
        self.told.append(("epoch", line.number, best))

    def improved(self, network, line):
        self.told.append(("improved", line.number))

    def finished(self):
        self.told.append(("finished",))


class Script:
    """A loss whose values on the validation set (without gradients) are given beforehand."""

    def __init__(self, *scores):
        self.scores = iter(scores)

    def __call__(self, predicted, target):
        if predicted.requires_grad:
            return predicted.square().mean()
        return torch.tensor(next(self.scores))


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_a_tiny_set_is_learned_by_heart(small, draw):
    samples = draw(4)
    network = small()
    before = score(network, samples, RelativeL2())
    plan = TrainingPlan(
        epochs=40, batch_size=4, learning_rate=2e-2, patience=40, augmentation=unchanged, weight_decay=0.0
    )
    result = train(network, samples, samples, plan)
    assert result.best_score < 0.5 * before


def test_the_published_network_learns_by_the_same_loop(draw):
    torch.manual_seed(0)
    network, samples = PublishedNetwork(), draw(4)
    before = score(network, samples, RelativeL2())
    plan = replace(QUICK, epochs=4, learning_rate=1e-3, patience=4, augmentation=unchanged)
    assert train(network, samples, samples, plan).best_score < before


def test_two_trainings_give_the_same_bits(small, draw):
    networks = [small(1), small(1)]
    results = [train(network, draw(10), draw(4, 9), QUICK) for network in networks]
    assert torch.equal(weights(networks[0]), weights(networks[1]))
    assert results[0].history == results[1].history


def test_another_seed_gives_another_network(small, draw):
    networks = [small(1), small(1)]
    for seed, network in enumerate(networks):
        train(network, draw(10), draw(4, 9), replace(QUICK, seed=seed))
    assert not torch.equal(weights(networks[0]), weights(networks[1]))


def test_training_neither_reads_nor_moves_the_global_random_stream(small, draw):
    network, samples = small(1), draw(8)
    torch.manual_seed(77)
    expected = torch.rand(3)
    torch.manual_seed(77)
    train(network, samples, samples, QUICK)
    assert torch.equal(torch.rand(3), expected)


def test_it_stops_when_the_patience_is_used_up(small, draw):
    plan = replace(QUICK, epochs=10, patience=2, loss=Script(3.0, 1.0, 2.0, 2.0, 0.5))
    result = train(small(), draw(4), draw(2), plan)
    assert [line.validation_loss for line in result.history] == [3.0, 1.0, 2.0, 2.0]
    assert (result.best_epoch, result.best_score) == (1, 1.0)


def test_the_network_is_left_in_its_best_state(small, draw):
    """The second epoch is scored best; a training that ends there has the same weights."""
    plan = replace(QUICK, epochs=4, patience=9)
    network, seen = small(), {}

    class Copy(Progress):
        def epoch(self, line, best):
            seen[line.number] = weights(network)

    train(network, draw(8), draw(2), replace(plan, loss=Script(3.0, 1.0, 2.0, 2.0)), Copy())
    assert torch.equal(weights(network), seen[1])
    assert not torch.equal(seen[1], seen[3])


def test_progress_is_told_in_order(small, draw):
    notes = Notes()
    plan = replace(QUICK, epochs=2, loss=Script(2.0, 3.0))
    train(small(), draw(6), draw(2), plan, notes)
    assert notes.told == [
        ("started", 2, 2), ("batch",), ("batch",), ("improved", 0), ("epoch", 0, 2.0),
        ("batch",), ("batch",), ("epoch", 1, 2.0), ("finished",),
    ]  # fmt: skip


def test_a_loss_that_is_not_a_number_names_epoch_and_batch(small, draw):
    network, notes = small(), Notes()
    with torch.no_grad():
        network.left.bias.fill_(torch.nan)
    with pytest.raises(TrainingError, match=r"epoch 0, batch 0: the loss is nan \(lower the learning rate\)"):
        train(network, draw(4), draw(2), QUICK, notes)
    assert notes.told[-1] == ("finished",)


def test_a_validation_loss_that_is_not_a_number_names_the_epoch(small, draw):
    with pytest.raises(TrainingError, match="epoch 1, validation: the loss is inf"):
        train(small(), draw(4), draw(2), replace(QUICK, loss=Script(1.0, math.inf)))


@pytest.mark.parametrize("empty", ["training", "validation"])
def test_an_empty_set_is_refused(small, draw, empty):
    none, some = draw(2).select(torch.tensor([], dtype=torch.long)), draw(2)
    sets = (none, some) if empty == "training" else (some, none)
    with pytest.raises(ConfigError, match=f"the {empty} set is empty"):
        train(small(), *sets, QUICK)


def test_the_validation_set_is_not_learned_from(small, draw):
    networks = [small(1), small(1)]
    for k, network in enumerate(networks):
        train(network, draw(8), draw(4, 20 + k), replace(QUICK, epochs=1))
    assert torch.equal(weights(networks[0]), weights(networks[1]))


@pytest.mark.parametrize("name", ["epochs", "batch_size", "learning_rate", "patience", "clip"])
def test_a_plan_with_nothing_to_do_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} must be positive"):
        TrainingPlan(**{name: 0})


def test_a_warmup_longer_than_the_training_is_refused():
    with pytest.raises(ConfigError, match="warmup"):
        TrainingPlan(warmup=1.0)


def test_the_rate_rises_then_falls_as_a_cosine():
    plan = TrainingPlan(learning_rate=1.0, warmup=0.1)
    rates = [plan.rate(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5)  # half of the 90 steps after the rise
    assert rates[-1] < 0.001
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_a_training_of_one_step_has_a_rate():
    assert TrainingPlan(learning_rate=1.0).rate(0, 1) == 1.0


def mirrors(samples, seed):
    """Return for each sample which mirrors were used: 0 none, 1 longitude, 2 latitude, 3 both."""
    turned = mirror_at_random(samples, torch.Generator().manual_seed(seed)).target
    ways = [samples.target.flip(dims) for dims in ((), (-1,), (-2,), (-1, -2))]
    return torch.stack([(turned - way).abs().sum(dim=(1, 2)) for way in ways]).argmin(dim=0)


def test_all_four_mirrors_come_about_equally_often(draw):
    found = mirrors(draw(200), 1)
    assert all(25 < int((found == way).sum()) < 75 for way in range(4))


def test_the_generator_decides_which_samples_are_mirrored(draw):
    samples = draw(32)
    assert torch.equal(mirrors(samples, 1), mirrors(samples, 1))
    assert not torch.equal(mirrors(samples, 1), mirrors(samples, 2))


def test_the_summary_of_a_plan_is_plain_values():
    summary = replace(QUICK, augmentation=unchanged).summary()
    assert summary["loss"] == "RelativeL2()"
    assert summary["augmentation"] == "unchanged"
    assert summary["seed"] == 5
