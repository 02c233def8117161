"""Tables of Fortran hosts: what was checked, what calls cost, and what comes of wrong ones."""

from __future__ import annotations

from figure_tables.rows import ABSENT, Figures, Tables, cell, measured, number, table

SIZES = (1, 64, 1024)
SIDES = (
    ("ftorch", "FTorch, tensors kept"), ("frozen", "frozen engine, arrays bound"),
    ("embedded", "Python, network alone, arrays bound"), ("hooked", "Python, component of a run config"),
)  # fmt: skip


def fortran(found: Figures) -> str:
    """Return the table of what was checked through the Fortran calls."""
    counted = (
        ("wrong calls that came back with a status that names them", "misuse_named", "misuse_cases"),
        ("forms of arrays that arrived as they were", "array_correct", "array_cases"),
        ("runs of the drivers with the bits of the Python run", "drivers_identical", "drivers_runs"),
    )
    rows = [(text, f"{number(found, part, 'd')} of {number(found, whole, 'd')}", "all")
            for text, part, whole in counted]  # fmt: skip
    measures = (
        ("worst dot test", "dot_test", ".1e", "1e-12"),
        ("slope of the Taylor remainder", "taylor_slope", ".4f", "1.98 to 2.02"),
        ("memory of 1000 sessions, KiB", "rss_growth_kib_per_1000_cycles", ".0f", "0"),
        ("memory of 100 000 runs, KiB", "rss_growth_kib_per_100000_steps", ".0f", "0"),
    )
    rows += [(text, number(found, key, form), aim) for text, key, form, aim in measures]
    return table("measure | figure | aim", rows)


def fortran_speed(found: Figures) -> str:
    """Return the table of microseconds for a call of the small network, on one thread."""
    rows = []
    for side, text in SIDES:
        cells = [number(found, f"{side}_us_{n}", ".1f") for n in SIZES]
        rows.append((text, *cells))
    rows.append(("FTorch over frozen (aim 1.3)", *(_ratio(found, "ftorch", "frozen", n) for n in SIZES)))
    rows.append(("component less network alone (aim 20)", *(_less(found, n) for n in SIZES)))
    return table("microseconds, columns | 1 | 64 | 1024", rows)


def _ratio(found: Figures, above: str, below: str, n: int) -> str:
    top, bottom = found.get(f"{above}_us_{n}"), found.get(f"{below}_us_{n}")
    return f"{top / bottom:.2f}" if top and bottom else ABSENT


def _less(found: Figures, n: int) -> str:
    whole, part = found.get(f"hooked_us_{n}"), found.get(f"embedded_us_{n}")
    return f"{whole - part:.0f}" if whole and part else ABSENT


def crossing(found: Figures) -> str:
    """Return the table of what crossing the boundary costs."""
    return measured(
        found,
        (
            ("Fortran to Python and back, microseconds", "crossing_us", ".3f", "0.1"),
            ("the same with the floating-point environment saved", "crossing_guarded_us", ".3f", "0.3"),
            ("OMP_NUM_THREADS unset over one thread, beside a busy process", "unset_omp_ratio", ".2f", "1.2"),
        ),
    )


def fortran_misuse(found: Figures) -> str:
    """Return the table of wrong calls, and the status that each comes back with."""
    rows = [tuple(cell(case.get(part)) for part in ("call", "status", "says"))
            for case in found.get("misuse_table", ())]  # fmt: skip
    return table("call | status | message", rows).replace("---:", "---")


TABLES: Tables = {
    "fortran": fortran, "fortran_speed": fortran_speed, "crossing": crossing,
    "fortran_misuse": fortran_misuse,
}  # fmt: skip
