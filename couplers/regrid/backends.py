"""Who makes the weights: the native generators or ESMPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tradewind.couplers.ranks.parallel import Communicator, agree
from tradewind.couplers.regrid.scheme import Method, Norm, Scheme, named
from tradewind.couplers.regrid.weights import Triplets, generate
from tradewind.errors import GridError, SpecError

if TYPE_CHECKING:
    from tradewind.couplers.ranks.layout import Layout


class Backend(StrEnum):
    """Makers of weights."""

    AUTO = "auto"
    NATIVE = "native"
    ESMPY = "esmpy"
    FILE = "file"


@dataclass(frozen=True)
class Recipe:
    """How weights are made, and by whom."""

    scheme: Scheme
    backend: Backend

    def attributes(self) -> dict[str, str]:
        """Return global attributes for a weight file, in ESMF's words and ours."""
        scheme = self.scheme
        return {
            "normalization": {Norm.DSTAREA: "destarea", Norm.FRACAREA: "fracarea"}[scheme.norm],
            "map_method": "Conservative remapping" if scheme.method.is_conservative else "Bilinear remapping",
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


def recipe_of_file(attributes: Mapping[str, str]) -> Recipe:
    """Return the recipe that a weight file names; the backend is the file itself."""
    method = attributes.get("tradewind_method") or _esmf_method(attributes)
    norm = Norm.FRACAREA if "frac" in attributes.get("normalization", "").lower() else Norm.DSTAREA
    return Recipe(Scheme(Method(method), norm), Backend.FILE)


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


def make(source: Layout, target: Layout, how: Recipe) -> Triplets:
    """Return weights with at least this rank's target rows; collective."""
    if how.backend is Backend.ESMPY:
        return _by_esmpy(source, target, how)
    with agree(target.comm, "making weights"):
        return generate(source.grid, target.grid, how.scheme, target.owned)


def _by_esmpy(source: Layout, target: Layout, how: Recipe) -> Triplets:
    from tradewind.couplers.esmf import weights as ask

    made = None
    with agree(target.comm, "making weights with ESMPy"):
        if target.comm.rank == 0:
            made = ask(source.grid, target.grid, how.scheme)
    shared = target.comm.bcast(made)
    if shared is None:
        raise GridError("ESMPy returned no weights", where="Regridder")
    return shared
