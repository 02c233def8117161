"""How to regrid: method, norm, poles and extrapolation, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, TypeVar

from tradewind.errors import SpecError


class Method(StrEnum):
    """Methods of regridding, by their names in xESMF."""

    CONSERVATIVE = "conservative"
    CONSERVATIVE_2ND = "conservative_2nd"
    BILINEAR = "bilinear"
    PATCH = "patch"
    NEAREST_S2D = "nearest_s2d"
    NEAREST_D2S = "nearest_d2s"

    @property
    def is_conservative(self) -> bool:
        """Whether integrals are kept."""
        return self in {Method.CONSERVATIVE, Method.CONSERVATIVE_2ND}


class Norm(StrEnum):
    """What conservative weights of partly covered targets are divided by: covered, or whole area."""

    FRACAREA = "fracarea"
    DSTAREA = "dstarea"


class PoleKind(StrEnum):
    """What stands beyond the last row of source centres of a grid that closes around a pole.

    ``default`` is ``allavg`` for bilinear and patch, else ``none``. Native weights close each pole that the
    grid closes; ESMF closes both or none, and is asked to by default where the grid closes both.
    """

    DEFAULT = "default"
    NONE = "none"
    ALLAVG = "allavg"
    NPNTAVG = "npntavg"
    TEETH = "teeth"


@dataclass(frozen=True)
class Poles:
    """Treatment of poles; `points` is how many neighbours ``npntavg`` averages."""

    kind: PoleKind = PoleKind.DEFAULT
    points: int = 1

    def __post_init__(self) -> None:
        if self.points < 1:
            raise SpecError(f"a mean of {self.points} points", where="poles", hint="points >= 1")

    def __str__(self) -> str:
        return f"{self.kind}({self.points})" if self.kind is PoleKind.NPNTAVG else str(self.kind)


@dataclass(frozen=True)
class NearestSource:
    """Unmapped targets take the nearest active source."""

    def __str__(self) -> str:
        return "nearest"


@dataclass(frozen=True)
class InverseDistance:
    """Unmapped targets take the mean of the nearest active sources, weighted by distance^-exponent."""

    points: int = 8
    exponent: float = 2.0

    def __post_init__(self) -> None:
        if self.points < 1 or not self.exponent > 0:
            raise SpecError(
                f"{self.points} points and exponent {self.exponent:g}",
                where="inverse distance extrapolation",
                hint="points >= 1 and exponent > 0",
            )

    def __str__(self) -> str:
        return f"inverse_distance({self.points}, {float(self.exponent)!r})"


@dataclass(frozen=True)
class Creep:
    """Unmapped targets take the mean of their mapped neighbours, level after level."""

    levels: int = 1

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise SpecError(f"{self.levels} levels", where="creep extrapolation", hint="levels >= 1")

    def __str__(self) -> str:
        return f"creep({self.levels})"


Extrapolation: TypeAlias = NearestSource | InverseDistance | Creep


@dataclass(frozen=True)
class Scheme:
    """Everything that decides on weights but the grids and who makes them.

    Attributes
    ----------
    extrapolation
        What targets take that the method itself leaves unmapped; None leaves them unmapped.
    """

    method: Method = Method.CONSERVATIVE
    norm: Norm = Norm.FRACAREA
    poles: Poles = Poles()
    extrapolation: Extrapolation | None = None

    @classmethod
    def of(cls, method: Method | Scheme | str, norm: Norm | str) -> Scheme:
        """Return the scheme that a method's name means; a scheme is returned as it is.

        Raises
        ------
        SpecError
            An unknown name, with those that are known; conservative methods with extrapolation.
        """
        if isinstance(method, Scheme):
            return method
        return cls(named(Method, method), named(Norm, norm))

    def __post_init__(self) -> None:
        if self.method.is_conservative and self.extrapolation is not None:
            raise SpecError(
                f"{self.method} with extrapolation: what targets take from afar leaves twice",
                where="Regridder",
                hint="extrapolate bilinear, patch or nearest fields only",
            )
        if self.method is Method.NEAREST_D2S and self.extrapolation is not None:
            raise SpecError(
                f"{self}: what this method leaves out, ESMF leaves out too",
                where="Regridder",
                hint="extrapolate nearest_s2d or bilinear",
            )

    def __str__(self) -> str:
        parts = [str(self.method)]
        if self.method.is_conservative:
            parts.append(str(self.norm))
        if self.poles.kind is not PoleKind.DEFAULT:
            parts.append(f"poles {self.poles}")
        if self.extrapolation is not None:
            parts.append(f"extrapolated by {self.extrapolation}")
        return ", ".join(parts)


Choice = TypeVar("Choice", bound=StrEnum)


def named(kind: type[Choice], name: Choice | str, *hidden: str) -> Choice:
    """Return the member of an enumeration by name.

    Raises
    ------
    SpecError
        An unknown name, with those that are known.
    """
    known = [k.value for k in kind if k.value not in hidden]
    if name not in known:
        raise SpecError(
            f"no {kind.__name__.lower()} {name!r}", where="Regridder", hint=f"one of {', '.join(known)}"
        )
    return kind(name)
