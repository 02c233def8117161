"""The markers of hooks: `hookspec` for the project, `hookimpl` for plugins.

This is a leaf module: a plugin that imports only this and its own code stays light.
"""

from __future__ import annotations

from pluggy import HookimplMarker, HookspecMarker

PROJECT = "tradewind"
hookspec = HookspecMarker(PROJECT)
hookimpl = HookimplMarker(PROJECT)
