"""Tables of the complete methane inversion."""

from __future__ import annotations

from figure_tables.rows import ABSENT, Figures, Tables, number, table

INVENTORIES = {"uniform": "uniform", "clustered": "clustered, hot spots", "sources": "aircraft's source list"}
SEEDS = (1, 2, 3)
ERRORS = ("without", "recalibrated", "with")
RUNS = (("blocks of 24 hours held out", "blocks"), ("a whole run held out, tracers apart", "runs"))
NETWORKS = ("published", "compact", "operator")


def totals(found: Figures) -> str:
    """Return the table of posterior totals by inventory and seed."""
    forms = {
        "prior": ".3f", "truth": ".3f", "reference": ".3f", "surrogate": ".3f", "error_pct": ".2f",
        "of_increment_pct": ".1f", "spatial_r": ".4f", "dofs": ".2f",
    }  # fmt: skip
    rows = [
        (words, str(seed), *(number(found, f"{key}_{kind}_{seed}", form) for key, form in forms.items()))
        for kind, words in INVENTORIES.items()
        for seed in SEEDS
    ]
    heads = (
        "emissions | seed | prior | truth | posterior, reference | posterior, emulator "
        "| apart, % | of the increment, % | r of increments | DOFS"
    )
    return table(heads, rows)


def aims(found: Figures) -> str:
    """Return the worst of all inventories and seeds beside what was aimed at."""
    measures = (
        *((f"totals apart, {kind}, %", f"total_error_pct_{kind}", ".2f", "2") for kind in INVENTORIES),
        ("apart, of the increment, %", "of_increment_pct_max", ".1f", "at most 10"),
        ("r of the increments", "spatial_r_min", ".4f", "at least 0.95"),
        ("degrees of freedom for signal", "dofs_min", ".2f", "at least 5"),
        ("prior off by, %", "prior_off_pct", ".0f", "at least 30"),
    )
    rows = [(text, number(found, key, form), aim) for text, key, form, aim in measures]
    return table("the worst twin | figure | aim", rows)


def networks(found: Figures) -> str:
    """Return the table of the networks on the held-out set."""
    rows = [
        (text, *(number(found, f"{key}_{name}", form) for name in NETWORKS))
        for text, key, form in (
            ("parameters", "params", ",d"),
            ("root-mean-square error", "rmse", ".2e"),
            ("correlation", "correlation", ".4f"),
            ("relative L2 error", "relative_l2", ".3f"),
            ("mass in wrong cells, mean", "misplaced", ".3f"),
            ("error of the mass, mean of its size", "mass_error", ".4f"),
        )
    ]
    unseen = (number(found, f"rmse_{name}_synoptic", ".2e") for name in NETWORKS)
    rows.append(("root-mean-square error, unseen synoptic flow", *unseen))
    return table("on the held-out days | published | compact | operator", rows)


def twins(found: Figures) -> str:
    """Return the table of coverage and of squared errors, with and without the emulator's error."""
    rows = [
        (f"{text}, {total} Tg a year", *(number(found, f"{key}_{how}{end}", ".3f") for how in ERRORS), aim)
        for end, total in (("", "3.2"), ("_strong", "10"))
        for text, key, aim in (
            ("elements within one sigma", "coverage", "0.68 ± 0.02"),
            ("NEES / n", "nees", "1 ± 0.1"),
        )
    ]
    return table("200 twins | error ignored | recalibrated alone | recalibrated, covariance in R | aim", rows)


def footprints(found: Figures) -> str:
    """Return the table of footprint emulators."""
    rows = [
        (
            text,
            number(found, f"footprint_r2_{key}", ".3f"),
            number(found, f"footprint_r2_{key}_trees", ".3f"),
        )
        for text, key in RUNS
    ]
    return table("R2 | emulator | boosted trees", rows)


def solving(found: Figures) -> str:
    """Return the table of exactness, time and memory of the solver."""
    identical = {1: "yes", 0: "no"}.get(found.get("rank_identical"), ABSENT)
    rows = [
        ("streamed and stored solutions apart", number(found, "streamed_error", ".1e"), "1e-10"),
        ("posterior with the same bits on 1 to 4 ranks", identical, "yes"),
        ("243 elements, one month, s", number(found, "solve_243_seconds", ".1f"), "60"),
        ("10 000 elements, a million soundings, GiB", number(found, "peak_gib_10000", ".2f"), "8"),
    ]
    return table("measure | figure | aim", rows)


def speed(found: Figures) -> str:
    """Return the table of what one Jacobian costs over the emulator's."""
    rows = [
        ("reference runs, one by one", number(found, "jacobian_speedup_emulator", ".0f"), "100"),
        ("reference runs, batched", number(found, "jacobian_speedup_batched", ".0f"), ""),
        ("reference adjoint", number(found, "jacobian_speedup_adjoint", ".0f"), ""),
    ]
    return table("one Jacobian by | times the emulator's | aim", rows)


TABLES: Tables = {
    "methane_totals": totals,
    "methane_aims": aims,
    "methane_networks": networks,
    "methane_twins": twins,
    "methane_footprints": footprints,
    "methane_solving": solving,
    "methane_speed": speed,
}
