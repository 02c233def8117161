"""The examples under a Fortran host: whether its numbers are those of Python, to the bit, on any ranks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tradewind.bench.checkout import examples
from tradewind.bench.fortran.hosts import compiled, drivers, launcher, ranks_possible, said
from tradewind.bench.inversion.permian import same_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANKS = (1, 2, 3, 4)
FLUXES = ("inventory.methane_flux", "wetlands.methane_flux", "transport.methane_mass")


class Driven(NamedTuple):
    """A program on an example, and how its output is held against Python's."""

    program: str
    example: str
    ports: tuple[str, ...]
    same: Callable[[Path], bool]


def measured(prefix: Path) -> dict[str, Any]:
    """Return how many runs of the drivers were made, and how many gave the bits of the Python run.

    Parameters
    ----------
    prefix
        Where the library is installed.
    """
    with TemporaryDirectory(prefix="tradewind-drivers-") as work:
        folder = Path(work)
        found = [same for driven in cases(folder) for same in tried(prefix, driven, folder)]
    return {"drivers_runs": len(found), "drivers_identical": sum(found)}


def cases(folder: Path) -> tuple[Driven, ...]:
    """Return what is driven: every example, and the Permian inversion from a program of its own."""
    return (
        Driven("drive", "coupled.yaml", FLUXES, as_numbers(coupled_fields())),
        Driven("drive", "permian.yaml", (), as_file(folder, "permian.yaml")),
        Driven("drive", "letkf.yaml", (), as_file(folder, "letkf.yaml")),
        Driven("permian", "permian.yaml", (), as_numbers(permian_fields())),
    )


def tried(prefix: Path, driven: Driven, folder: Path) -> list[bool]:
    """Return for each number of ranks whether the output is that of Python."""
    program, config = (
        compiled(prefix, drivers() / f"{driven.program}.f90", folder),
        examples() / driven.example,
    )
    found = []
    for ranks in ranks_possible(RANKS):
        output = folder / f"out{ranks}"
        said([*launcher(ranks), str(program), str(config), str(output), *driven.ports], folder)
        found.append(driven.same(output))
    return found


def as_numbers(expected: NDArray[np.float64]) -> Callable[[Path], bool]:
    """Return what holds a file of numbers against `expected`."""
    return lambda output: np.array_equal(np.fromfile(output), expected)


def as_file(folder: Path, example: str) -> Callable[[Path], bool]:
    """Return what holds the netCDF file beside an output against that of ``tradewind run``."""
    from tradewind.execute import execute

    own = folder / f"own_{example}.nc"
    execute(examples() / example, [f"output.file={own}", "output.report="])
    return lambda output: same_numbers(own, output.with_name(f"{output.name}.nc"))


def coupled_fields() -> NDArray[np.float64]:
    """Return the fields of the coupled example after every step, in the order that the driver writes."""
    from tradewind.simulation import simulate

    asked = f"output.fields=[{', '.join(FLUXES)}]"
    series = simulate(examples() / "coupled.yaml", [asked]).fields
    steps = zip(*(field.values.numpy() for field in series), strict=True)
    return np.concatenate([values.ravel() for step in steps for values in step])


def permian_fields() -> NDArray[np.float64]:
    """Return what the Permian driver writes: emissions, columns of two steps, what the transport received."""
    from tradewind.assembly import assemble
    from tradewind.coupled.model.looking import fields_of
    from tradewind.execute import invert

    assembly = assemble(examples() / "permian.yaml")
    answer, run, window = invert(assembly), assembly.run(), assembly.windows[0]
    run.rewind(run.start(window.start))
    if assembly.control is not None:
        for port, value in fields_of(assembly.control.at(window), answer.posterior.mean[None]).items():
            run.put(port, value)
    found = []
    for number, port in ((1, "inventory.methane_flux"), (1, "transport.methane_column"),
                         (2, "transport.methane_column"), (2, "transport.methane_flux")):  # fmt: skip
        run.advance(window.start + number * timedelta(hours=6))
        found.append(run.get(port))
    return np.concatenate([value.numpy().ravel() for value in found])
