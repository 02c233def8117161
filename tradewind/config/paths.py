"""Paths that are relative to the folder of the run config (defined beside the plugins, which use them)."""

from tradewind.plugins.options import FOLDER, RelativePath

__all__ = ["FOLDER", "RelativePath"]
