"""What a run config may ask of the files of an inversion."""

from __future__ import annotations

from enum import StrEnum


class Shown(StrEnum):
    """Whether something that costs a little is made for the files."""

    MADE = "made"
    NONE = "none"


class Matrices(StrEnum):
    """Whether matrices of all elements are written."""

    WRITTEN = "written"
    LEFT_OUT = "left-out"
