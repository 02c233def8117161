"""Who makes the weights: the native generators or ESMPy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tradewind.couplers.grids.places import GridKind
from tradewind.couplers.ranks.parallel import Communicator, agree
from tradewind.couplers.regrid.scheme import (
    Creep,
    Extrapolation,
    InverseDistance,
    Method,
    NearestSource,
    Norm,
    PoleKind,
    Poles,
    Scheme,
    named,
)  # fmt: skip
from tradewind.couplers.regrid.weights import Triplets, generate
from tradewind.errors import DataError, GridError, SpecError

if TYPE_CHECKING:
    from tradewind.couplers.grids import Grid
    from tradewind.couplers.ranks.layout import Layout


class Backend(StrEnum):
    """Makers of weights."""

    AUTO = "auto"
    NATIVE = "native"
    ESMPY = "esmpy"
    FILE = "file"


ESMF_WORDS = {
    Method.CONSERVATIVE: "First-order Conservative",
    Method.CONSERVATIVE_2ND: "Second-order Conservative",
    Method.BILINEAR: "Bilinear",
    Method.PATCH: "Higher-order Patch",
    Method.NEAREST_S2D: "Nearest source to destination",
    Method.NEAREST_D2S: "Nearest destination to source",
}
"""How ESMF's weight files name methods."""
NORM_WORDS = {Norm.DSTAREA: "destarea", Norm.FRACAREA: "fracarea"}


@dataclass(frozen=True)
class Recipe:
    """How weights are made, and by whom."""

    scheme: Scheme
    backend: Backend

    def attributes(self) -> dict[str, str]:
        """Return global attributes for a weight file, in ESMF's words and ours."""
        scheme = self.scheme
        return {
            "normalization": NORM_WORDS[scheme.norm],
            # ESMF's tool knows these two words only; ESMF_regrid_method says more
            "map_method": "Conservative remapping" if scheme.method.is_conservative else "Bilinear remapping",
            "ESMF_regrid_method": ESMF_WORDS[scheme.method],
            "tradewind_method": scheme.method.value,
            "tradewind_norm": scheme.norm.value,
            "tradewind_scheme": str(scheme),
            "tradewind_backend": self.backend.value,
        }


def recipe(scheme: Scheme, backend: Backend | str, comm: Communicator) -> Recipe:
    """Return the recipe; ``auto`` becomes the backend that rank 0 finds.

    Raises
    ------
    SpecError
        An unknown name, or ESMPy asked for where it is not installed.
    """
    chosen = named(Backend, backend, Backend.FILE)
    available = comm.bcast(find_spec("esmpy") is not None)
    if chosen is Backend.AUTO:
        return Recipe(scheme, Backend.ESMPY if available else Backend.NATIVE)
    if chosen is Backend.ESMPY and not available:
        raise SpecError(
            "esmpy is not installed",
            where='Regridder, backend="esmpy"',
            hint='conda-forge has it (it is not on PyPI); or use backend="native"',
        )
    return Recipe(scheme, chosen)


def version(backend: Backend) -> str:
    """Return the version of a backend that is not part of this project, for cache keys; else nothing.

    ESMPy is not imported: it refuses to work with an ESMF of another version than its own.
    """
    if backend is not Backend.ESMPY:
        return ""
    try:
        return installed("esmpy")
    except PackageNotFoundError:
        return "unknown"


def recipe_of_file(attributes: Mapping[str, str]) -> Recipe:
    """Return the recipe that a weight file names; the backend is the file itself.

    Files of this project say it all; in files of ESMF, ``ESMF_regrid_method`` is right where
    ``map_method`` is not.

    Raises
    ------
    DataError
        When the file names a scheme that does not exist.
    """
    text = attributes.get("tradewind_scheme")
    if text is not None:
        found = scheme_of(text)
        return Recipe(Scheme(found.method, _norm(attributes), found.poles, found.extrapolation), Backend.FILE)
    method = attributes.get("tradewind_method") or _esmf_method(attributes)
    return Recipe(Scheme(Method(method), _norm(attributes)), Backend.FILE)


def _norm(attributes: Mapping[str, str]) -> Norm:
    return Norm.FRACAREA if "frac" in attributes.get("normalization", "").lower() else Norm.DSTAREA


def _esmf_method(attributes: Mapping[str, str]) -> Method:
    name = attributes.get("ESMF_regrid_method", attributes.get("map_method", "")).lower()
    words = {
        "second-order": Method.CONSERVATIVE_2ND,
        "conserv": Method.CONSERVATIVE,
        "patch": Method.PATCH,
        "nearest source": Method.NEAREST_S2D,
        "nearest dest": Method.NEAREST_D2S,
    }
    return next((method for word, method in words.items() if word in name), Method.BILINEAR)


def scheme_of(text: str) -> Scheme:
    """Return the scheme whose text (``str(scheme)``) is given.

    Raises
    ------
    DataError
        When there is no such scheme.
    """
    words = re.split(r", (?![^(]*\))", text)
    try:
        norm = next((Norm(word) for word in words[1:] if word in set(Norm)), Norm.FRACAREA)
        poles = [_poles(w.removeprefix("poles ")) for w in words if w.startswith("poles ")]
        afar: list[Extrapolation | None] = [
            _extrapolation(w.removeprefix("extrapolated by ")) for w in words if " by " in w
        ]
        return Scheme(Method(words[0]), norm, (poles or [Poles()])[0], (afar or [None])[0])
    except (TypeError, ValueError) as error:
        raise DataError(f"{text!r} is no scheme of regridding: {error}", where="weight file") from error


def _poles(text: str) -> Poles:
    name, numbers = _call(text)
    return Poles(PoleKind(name), *(int(n) for n in numbers))


def _extrapolation(text: str) -> Extrapolation:
    name, numbers = _call(text)
    match name:
        case "nearest":
            return NearestSource()
        case "inverse_distance":
            points, exponent = numbers
            return InverseDistance(int(points), float(exponent))
        case "creep":
            return Creep(*(int(n) for n in numbers))
    raise ValueError(f"unknown extrapolation {name!r}")


def _call(text: str) -> tuple[str, list[str]]:
    """Return name and arguments of text such as ``npntavg(3)``."""
    name, _, inside = text.partition("(")
    return name, [part for part in inside.rstrip(")").split(", ") if part]


def make(source: Layout, target: Layout, how: Recipe) -> Triplets:
    """Return weights with at least this rank's target rows; collective.

    Raises
    ------
    GridError
        When a grid lacks what the method needs; names both grids.
    SpecError
        A scheme that nobody can follow.
    """
    refuse_unfit(source.grid, target.grid, how.scheme)
    with _naming(source.grid, target.grid):
        if how.backend is Backend.ESMPY:
            from tradewind.couplers.esmf_runs import weights

            return weights(source, target, how.scheme)
        with agree(target.comm, "making weights"):
            return generate(source.grid, target.grid, how.scheme, target.owned)


def refuse_unfit(source: Grid, target: Grid, scheme: Scheme) -> None:
    """Refuse what no backend can do with these grids, in words that help; local.

    Raises
    ------
    GridError
        Conservative weights to or from points, interpolation between points.
    SpecError
        Poles asked of conservative methods.
    """
    points = [g for g in (source, target) if g.kind is GridKind.POINTS]
    pair = f"from {source!r} to {target!r}"
    if scheme.method.is_conservative and points:
        raise GridError(
            f"{scheme.method} weights {pair}: points have no area",
            where="Regridder",
            hint="give their footprints as polygons, Grid.mesh(node_lon, node_lat, faces), or use bilinear",
        )
    if scheme.method in {Method.BILINEAR, Method.PATCH} and source.kind is GridKind.POINTS:
        raise GridError(
            f"{scheme.method} weights {pair}: source points have no neighbours to interpolate between",
            where="Regridder",
            hint="use nearest_s2d",
        )
    if scheme.method.is_conservative and scheme.poles.kind not in {PoleKind.DEFAULT, PoleKind.NONE}:
        raise SpecError(
            f"{scheme.method} with poles {scheme.poles}: cells end where their corners say",
            where="Regridder",
            hint="poles are for bilinear and patch",
        )


@contextmanager
def _naming(source: Grid, target: Grid) -> Iterator[None]:
    """Make faults of one grid name the other as well."""
    try:
        yield
    except GridError as error:
        if repr(source) in str(error) and repr(target) in str(error):
            raise
        what = f"no weights from {source!r} to {target!r}: {error.where}: {error.what}"
        raise GridError(what, where="Regridder", hint=error.hint) from error
