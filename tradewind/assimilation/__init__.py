"""The loop of a filter: members stepped in waves, brought to their cells, analysed, and brought back."""

from tradewind.assimilation.loop import EnsembleLoop, assimilate

__all__ = ["EnsembleLoop", "assimilate"]
