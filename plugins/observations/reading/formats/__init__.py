"""What observations look like in files of different makes: each becomes variables along one dimension."""

from __future__ import annotations

from tradewind.plugins.observations.options import FormatName
from tradewind.plugins.observations.reading.formats import cf, gosat, table, tropomi
from tradewind.plugins.observations.reading.formats.made import Format

FORMATS: dict[FormatName, Format] = {
    FormatName.CF: cf.FORMAT,
    FormatName.TROPOMI: tropomi.FORMAT,
    FormatName.GOSAT: gosat.FORMAT,
    FormatName.TABLE: table.FORMAT,
}
"""The formats by name."""

__all__ = ["FORMATS", "Format"]
