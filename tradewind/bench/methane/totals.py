"""Posterior by the emulator beside that by the reference model, on weather that no training has seen.

Truth and inversion differ as in the first example: columns are simulated with a sharper scheme and half the
substep, carry noise and gaps, and the prior is 40 % too low. Each inventory is drawn with several seeds; the
figures are those of the worst.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tradewind.assembly import assemble
from tradewind.bench.checkout import example, examples
from tradewind.bench.methane.inventories import KINDS, PRIOR_SHARE, Inventory
from tradewind.errors import SpecError
from tradewind.execute import invert

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Progress
    from tradewind.results import InversionResult

SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Compared:
    """One twin, inverted with the reference model and with the emulator; totals in Tg a year."""

    prior: float
    truth: float
    reference: float
    surrogate: float
    sigma: float
    dofs: float
    spatial_r: float

    @property
    def error_pct(self) -> float:
        """Difference of the posterior totals, per cent of the reference's."""
        return 100.0 * abs(self.surrogate - self.reference) / self.reference

    @property
    def of_increment_pct(self) -> float:
        """The same, per cent of the reference's increment."""
        return 100.0 * abs(self.surrogate - self.reference) / abs(self.reference - self.prior)

    def figures(self) -> dict[str, float]:
        """Return all of it by name."""
        return {**vars(self), "error_pct": self.error_pct, "of_increment_pct": self.of_increment_pct}


def figures(progress: Progress) -> dict[str, Any]:
    """Return the figures of every twin, and of each inventory's worst."""
    found: dict[str, Any] = {}
    step = progress("inventories and seeds", len(KINDS) * len(SEEDS))
    every: list[Compared] = []
    for kind in KINDS:
        twins = {}
        for seed in SEEDS:
            twins[seed] = compared(kind, seed)
            step()
        found |= _of_kind(kind, twins)
        every += [twin for twin in twins.values() if twin is not None]
    return found | {
        "spatial_r_min": min(t.spatial_r for t in every),
        "dofs_min": min(t.dofs for t in every),
        "of_increment_pct_max": max(t.of_increment_pct for t in every),
        "prior_off_pct": 100.0 * (1.0 - PRIOR_SHARE),
    }


def _of_kind(kind: str, twins: Mapping[int, Compared | None]) -> dict[str, Any]:
    known = {seed: twin for seed, twin in twins.items() if twin is not None}
    worst = max((twin.error_pct for twin in known.values()), default=None)
    found: dict[str, Any] = {f"total_error_pct_{kind}": worst}
    for seed, twin in known.items():
        found |= {f"{name}_{kind}_{seed}": value for name, value in twin.figures().items()}
    return found


def compared(kind: str, seed: int) -> Compared | None:
    """Return one twin inverted in both ways; None where its inventory is not at hand."""
    generator = np.random.default_rng([seed, len(kind)])
    inventory = KINDS[kind](generator)
    if inventory is None:
        return None
    with TemporaryDirectory() as folder:
        files = _written(inventory, generator, Path(folder))
        reference, surrogate = (_inverted(files, run_as) for run_as in ("reference", "surrogate"))
    return _compared(reference, surrogate, inventory.total)


def _written(inventory: Inventory, generator: np.random.Generator, folder: Path) -> list[str]:
    """Write prior and columns; return the settings that make the example's config read them."""
    twin, grid = example("build_twin"), _grid()
    truth = twin.scaled(inventory.truth, inventory.total, grid)
    prior = twin.scaled(inventory.prior, PRIOR_SHARE * inventory.total, grid)
    transport, regridder = _transport()
    emitted = regridder.forward(torch.from_numpy(truth).reshape(1, -1))
    columns = twin.observe(transport, twin.simulate(transport, lambda _: emitted), generator)
    columns.to_netcdf(folder / "columns.nc")
    twin.emission_dataset(prior, "prior").to_netcdf(folder / "prior.nc")
    return [
        f"components.inventory.options.file={folder / 'prior.nc'}",
        f"observations.options.file={folder / 'columns.nc'}",
    ]


@cache
def _transport() -> tuple[Any, Any]:
    """Return the model that makes the truth, its air prepared once, and what brings emissions to it."""
    twin = example("build_twin")
    transport = twin.sharper_transport(examples())
    return transport, twin.onto_transport(transport, _grid())


def _grid() -> Any:
    from tradewind.couplers.grids import Grid

    twin = example("build_twin")
    return Grid.latlon(twin.LAT, twin.LON)


def _inverted(files: list[str], run_as: str) -> InversionResult:
    return invert(assemble(examples() / "permian.yaml", [*files, f"components.transport.run_as={run_as}"]))


def _compared(reference: InversionResult, surrogate: InversionResult, truth: float) -> Compared:
    if reference.totals is None or surrogate.totals is None:
        raise SpecError("an inversion gave no totals", where="benchmark methane")
    before, after = (list(_increments(result)) for result in (reference, surrogate))
    return Compared(
        prior=reference.totals.prior,
        truth=truth,
        reference=reference.totals.posterior,
        surrogate=surrogate.totals.posterior,
        sigma=reference.totals.posterior_sigma,
        dofs=float(reference.posterior.dofs or 0.0),
        spatial_r=float(np.corrcoef(before, after)[0, 1]),
    )


def _increments(result: InversionResult) -> Iterator[float]:
    """Yield posterior minus prior flux of every cell that an element changes."""
    field = result.fields[0]
    changed = field.prior != 0
    yield from (field.posterior - field.prior)[changed].tolist()
