"""``tradewind bench misfits``: the four standard functions through our weights, beside ESMF's figures.

Cases with a weight file are scored on its grids: ours by native weights, ESMF's by those of the file. For the
three further pairs ESMF's figures are those of its table, which shows three digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradewind.bench.regridding.grid_pairs import PAIRS
from tradewind.bench.regridding.reference import Reference, Row, scheme_of
from tradewind.couplers.regrid.mapfile import read_map
from tradewind.couplers.regrid.quality.measures import Misfit, Quality, counted_rows, quality
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Method, Scheme
from tradewind.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tradewind.couplers.assimilation import Progress
    from tradewind.couplers.grids import Grid


@dataclass(frozen=True)
class Compared:
    """One case: our figures and ESMF's.

    Attributes
    ----------
    theirs
        ESMF's figures, from the file's weights where there is one.
    """

    case: str
    ours: Quality
    theirs: Row

    @property
    def is_nearest(self) -> bool:
        """Whether the figures depend on a choice between equally near sources."""
        return scheme_of(self.case).method is Method.NEAREST_S2D

    @property
    def is_patch(self) -> bool:
        """Whether weights come from least squares, whose sums are rounded more."""
        return scheme_of(self.case).method is Method.PATCH

    @property
    def excess(self) -> float:
        """By how much our worst misfit exceeds ESMF's, as a fraction; negative where ours are better."""
        pairs = ((self.ours.misfits[name], misfit) for name, misfit in self.theirs.misfits.items())
        return max(_excess(ours, theirs) for ours, theirs in pairs)

    def flat(self) -> dict[str, Any]:
        """Return the figures under keys that begin with the case."""
        name = re.sub(r"\W+", "_", self.case)
        found: dict[str, Any] = {f"{name}_rows": self.theirs.rows}
        sides: dict[str, Row | Quality] = {"esmf": self.theirs, "tradewind": self.ours}
        for side, figures in sides.items():
            for function in self.theirs.misfits:
                values = vars(figures.misfits[function])
                found |= {f"{name}_{side}_{function}_{what}": value for what, value in values.items()}
            found[f"{name}_{side}_conservation"] = figures.conservation
        return found


def _excess(ours: Misfit, theirs: Misfit) -> float:
    pairs = ((ours.mean, theirs.mean), (ours.largest, theirs.largest), (ours.rms, theirs.rms))
    return max(a / b - 1.0 for a, b in pairs if b > 0)


def figures(progress: Progress) -> dict[str, Any]:
    """Return all misfits as one flat object.

    Raises
    ------
    DataError
        Without the reference data: ESMF's figures are read from them at run time.
    """
    reference = Reference.found()
    if reference is None:
        raise DataError(
            "no reference data", where="bench misfits", hint="set TRADEWIND_SHARED to their folder"
        )
    found: dict[str, Any] = {"cases": []}
    for compared in comparisons(reference, progress):
        found["cases"].append(compared.case)
        found |= compared.flat()
    return found


def summary(reference: Reference, progress: Progress) -> dict[str, Any]:
    """Return the worst excess, loss and constant of all native cases: keys of ``bench regrid``.

    Nearest neighbours have an excess of their own: where several are equally near, ESMF's choice is a matter
    of rounding, and the misfit goes with the choice.
    """
    made = list(comparisons(reference, progress))
    excess = {near: [c.excess for c in made if c.is_nearest == near] for near in (False, True)}
    return {
        "misfit_cases": len(made),
        "misfit_excess_max": max(excess[False], default=None),
        "misfit_excess_nearest_max": max(excess[True], default=None),
        "conservation_max": max(c.ours.conservation for c in made if c.ours.conservation is not None),
        "constant_max": _off_constant([c for c in made if not c.is_patch]),
        "constant_patch_max": _off_constant([c for c in made if c.is_patch]),
    }


def _off_constant(made: list[Compared]) -> float | None:
    return max((c.ours.constant_error for c in made if c.ours.constant_error is not None), default=None)


def comparisons(reference: Reference, progress: Progress) -> Iterator[Compared]:
    """Yield all cases of the table in its order."""
    files = {path.stem: path for path in reference.files}
    step = progress("standard functions", len(reference.table))
    for case, row in reference.table.items():
        yield _of_file(case, files[case]) if case in files else _of_pair(case, row)
        step()


def _of_file(case: str, path: Path) -> Compared:
    content = read_map(path)
    theirs = quality(content)
    row = Row(theirs.rows, dict(theirs.misfits), theirs.conservation)
    # a target covered by a half, give or take rounding, counts on both sides or on neither
    ours = _native(content.source, content.target, scheme_of(case), counted_rows(content))
    return Compared(case, ours, row)


def _of_pair(case: str, row: Row) -> Compared:
    pair, _, _ = case.partition(" ")
    return Compared(case, _native(PAIRS[pair].source(), PAIRS[pair].target(), scheme_of(case)), row)


def _native(source: Grid, target: Grid, scheme: Scheme, rows: NDArray[np.bool_] | None = None) -> Quality:
    return quality(Regridder.build(source, target, scheme, backend="native"), rows=rows)
