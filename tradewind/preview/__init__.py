"""What an inversion can be expected to tell, and to cost, before anything is run."""

from tradewind.preview.cost import Cost, cost_of
from tradewind.preview.information import Expected, Seen, expected
from tradewind.preview.preview import Preview, preview, preview_of

__all__ = ["Cost", "Expected", "Preview", "Seen", "cost_of", "expected", "preview", "preview_of"]
