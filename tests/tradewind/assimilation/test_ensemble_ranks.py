"""One launch of four ranks: whatever is run has the same bits on one, two, three and four of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tradewind.bench.assimilation import online

PROGRAM = Path(__file__).parent / "programs" / "loops_on_ranks.py"
LORENZ = "{plugin: lorenz-96, options: {size: 40, changes: {0: 9.0}}}"
STREAM = '{{operator: point, of: {of}, options: {{file: {file}, variable: x, units: "1"}}{more}}}'
LOCAL = "{localization: {radius: 60, distance: degrees}, points_per_analysis: 3}"


@pytest.mark.mpi
@pytest.mark.shared
def test_any_number_of_ranks_gives_the_same_bits(tmp_path, mpiexec, shared, ensemble):
    reference = shared / "reference" / "pdaf" / "pdaf_18x36.nc"
    paths = [online.write(tmp_path / "pdaf", reference, "LETKF")]
    paths += [one(tmp_path, ensemble, name, said) for name, said in CASES.items()]
    done = mpiexec(4, "-m", "mpi4py", PROGRAM, *paths)
    told = [line.split()[:2] for line in done.stdout.splitlines()]
    assert told == [[str(path), "same"] for path in paths]


def one(folder: Path, ensemble, name: str, case: dict) -> Path:
    """Write a config and its observations; return it."""
    observed = f"{name}.nc"
    said = {key: value for key, value in case.items() if key not in ("more", "rows")}
    stream = STREAM.format(of="model.x", file="observed.nc", more=case.get("more", ""))
    assembly = ensemble(case["rows"], observations=stream, **said)
    (folder / "observed.nc").rename(folder / observed)
    path = folder / f"{name}.yaml"
    path.write_text(assembly.config.source.file.read_text().replace("observed.nc", observed))
    return path


def seen(count: int) -> list[tuple[float, float, float, float, float]]:
    """Return observations in the first and the last of three hours."""
    draws = np.random.default_rng(5)
    lon, value = draws.uniform(0, 355, count), 8 + draws.standard_normal(count)
    return [(1 if k % 3 else 3, 0.0, float(lon[k]), float(value[k]), 1.0) for k in range(count)]


CASES = {
    # fewer members than ranks, one of which fails; cells dealt by work; a window without observations
    "few": {
        "rows": [(1, 0, 0, 8.5, 0.1), (3, 0, 90, 8.0, 1.0), (3, 0, 180, 50.0, 1.0)],
        "model": LORENZ, "hours": 3,
        "ensemble": "{members: 3, failure: replace, limits: {model.x: [3.5, 12.5]}}",
        "control": "{field: model.x, change: add, prior_error: 1.4}",
        "method": "letkf, options: " + LOCAL, "more": ", reject: {departure: 4}",
    },
    # waves, a parameter of no place beside the state, one member given up, observations in parts
    "waves": {
        "rows": seen(7000), "model": LORENZ, "hours": 3,
        "ensemble": "{members: 5, wave: 2, failure: drop, limits: {model.x: [4.0, 12.5]}}",
        "control": "[{field: model.x, change: add, prior_error: 1.2}, "
                   "{field: model.forcing, change: scale, prior_error: 0.1}]",
        "method": "etkf, options: {inflation: {forecast: 1.1}}",
    },
    "anew": {
        "rows": seen(30), "model": LORENZ, "hours": 3, "ensemble": "{members: 5, begin: initial}",
        "control": "[{field: model.forcing, change: lognormal, prior_error: 0.1}, "
                   "{field: model.x, change: add, prior_error: 0.5}]",
        "method": "letkf, options: " + LOCAL,
    },
}  # fmt: skip
