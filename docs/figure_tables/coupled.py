"""Tables of exchanges in time and of checkpoints."""

from __future__ import annotations

from figure_tables.rows import ABSENT, Figures, Tables, number, table

KINDS = ("keep", "checkpoints")


def exchanges(found: Figures) -> str:
    """Return the table of budgets, derivatives, restarts and overhead of the coupled loop."""
    identical = {1: "yes", 0: "no"}.get(found.get("rank_identical"), ABSENT)
    kills = f"{number(found, 'restart_identical', 'd')} of {number(found, 'restart_kills', 'd')}"
    measures = (
        ("worst residual of a budget, relative", "ledger_residual_max", ".1e", "1e-12"),
        ("worst dot test of the whole example", "dot_test", ".1e", "1e-12"),
        ("slope of the Taylor remainder", "taylor_slope", ".4f", "1.98 to 2.02"),
        ("the same with van Leer's scheme", "taylor_slope_van_leer", ".3f", ""),
        ("overhead, microseconds per exchange and step", "overhead_us_per_exchange", ".1f", "50"),
        ("worst error of cases worked out by hand", "analytical_error_max", ".1e", "rounding"),
    )
    rows = [(text, number(found, key, form), aim) for text, key, form, aim in measures]
    rows.insert(1, ("output with the same bits on 1, 2, 3 and 4 ranks", identical, "yes"))
    rows.insert(5, ("killed while stepping, the same bits in the end", kills, "20 of 20"))
    return table("measure | figure | aim", rows)


def checkpointing(found: Figures) -> str:
    """Return the table of peak memory of a gradient, with and without checkpoints."""
    lengths = sorted(int(key.rpartition("_")[2]) for key in found if key.startswith("peak_mib_keep_"))
    rows = [
        (f"{n} steps, MiB", *(number(found, f"peak_mib_{kind}_{n}", ".0f") for kind in KINDS))
        for n in lengths
    ]
    growth = [number(found, f"peak_growth_{kind}", ".2f") for kind in KINDS]
    return table(
        "peak | every step kept | checkpoints", [*rows, ("grows with steps to the power of", *growth)]
    )


TABLES: Tables = {"exchanges": exchanges, "checkpointing": checkpointing}
