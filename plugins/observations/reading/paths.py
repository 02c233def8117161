"""Which files a setting means."""

from __future__ import annotations

from glob import has_magic
from pathlib import Path


def found(said: Path | tuple[Path, ...]) -> Path | tuple[Path, ...]:
    """Return the files that are meant, each once, those of a pattern by name; one that fits none stays.

    A single file stays a single file.
    """
    patterns = (said,) if isinstance(said, Path) else said
    files = tuple(dict.fromkeys(path for pattern in patterns for path in _meant(pattern)))
    return said if files == (said,) else files


def _meant(pattern: Path) -> list[Path]:
    if pattern.exists() or not has_magic(str(pattern)):
        return [pattern]
    root = Path(pattern.anchor)
    return sorted(root.glob(str(pattern.relative_to(root)))) or [pattern]
