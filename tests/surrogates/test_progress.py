"""What is told of a training's course."""

from __future__ import annotations

import contextlib
import io

from tradewind.surrogates.checkpoint import CheckpointHeader, read_header
from tradewind.surrogates.progress import Bar, Epoch, KeepBest, Progress, Together
from tradewind.surrogates.surrogate import describe
from tradewind.surrogates.training import TrainingPlan, train

PLAN = TrainingPlan(epochs=2, batch_size=4, patience=2)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def header(network, line):
    return CheckpointHeader(
        **describe(network), training_period=("a", "b"), seed=0, scores={"validation": line.validation_loss}
    )


def test_a_bar_says_nothing_where_there_is_no_terminal(small, draw):
    stream = io.StringIO()
    train(small(), draw(4), draw(2), PLAN, Bar("compact", stream))
    assert stream.getvalue() == ""


def test_a_bar_shows_label_and_losses_on_a_terminal(small, draw, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    stream = Terminal()
    train(small(), draw(4), draw(2), PLAN, Bar("compact", stream))
    assert "compact" in stream.getvalue()
    assert "2/2" in stream.getvalue()
    assert "validation" in stream.getvalue()


def test_the_best_network_so_far_is_on_disk(small, draw, tmp_path):
    path = tmp_path / "best.safetensors"
    result = train(small(), draw(6), draw(2), PLAN, KeepBest(path, header))
    assert read_header(path).scores["validation"] == result.best_score


def test_an_interrupted_training_leaves_its_best_network(small, draw, tmp_path):
    class Interrupt(Progress):
        def epoch(self, line, best):
            raise KeyboardInterrupt

    path = tmp_path / "best.safetensors"
    with contextlib.suppress(KeyboardInterrupt):
        train(small(), draw(6), draw(2), PLAN, Together([KeepBest(path, header), Interrupt()]))
    assert read_header(path).network == "compact"


def test_together_tells_all_parts_everything():
    class Notes(Progress):
        def __init__(self):
            self.told = []

        def started(self, epochs, batches):
            self.told.append("started")

        def batch(self, loss):
            self.told.append("batch")

        def epoch(self, line, best):
            self.told.append("epoch")

        def improved(self, network, line):
            self.told.append("improved")

        def finished(self):
            self.told.append("finished")

    parts = [Notes(), Notes()]
    both, line = Together(parts), Epoch(0, 1.0, 1.0)
    both.started(1, 1)
    both.batch(1.0)
    both.improved(None, line)
    both.epoch(line, 1.0)
    both.finished()
    assert [p.told for p in parts] == [["started", "batch", "improved", "epoch", "finished"]] * 2
