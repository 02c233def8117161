"""Tables of the Permian example."""

from __future__ import annotations

from figure_tables.rows import ABSENT, RUN_AS, Figures, Tables, number, table


def totals(found: Figures) -> str:
    """Return the table of posterior totals by who answered."""
    rows = [("prior", number(found, "prior_total"), ""), ("truth", number(found, "true_total"), "")]
    for name in RUN_AS:
        total, sigma = (number(found, f"posterior_{what}_{name}") for what in ("total", "sigma"))
        rows.append((f"posterior, `run_as: {name}`", total, sigma))
    return table("methane emissions, Tg a year | total | one sigma", rows)


def agreement(found: Figures) -> str:
    """Return the table of how hard the twin is, and how far surrogate and reference part."""
    measures = (
        ("surrogate total over reference total", "posterior_total_ratio", ".4f", "0.98 to 1.02"),
        ("difference over the reference's increment", "difference_over_increment", ".1%", "at most 10 %"),
        ("reference's increment over the prior total", "increment_over_prior", ".1%", "at least 20 %"),
        ("degrees of freedom for signal, reference", "dofs", ".2f", "at least 5"),
    )
    rows = [(text, number(found, key, form), aim) for text, key, form, aim in measures]
    return table("measure | figure | aim", rows)


def networks(found: Figures) -> str:
    """Return the table of the two networks on the held-out set."""
    rows = [
        (text, number(found, f"{key}_published", form), number(found, f"{key}_compact", form))
        for text, key, form in (
            ("parameters", "params", ",d"),
            ("root-mean-square error", "rmse", ".2e"),
            ("relative L2 error", "relative_l2", ".3f"),
            ("mass in wrong cells, mean", "misplaced", ".3f"),
            ("correlation", "correlation", ".4f"),
        )
    ]
    return table("on the held-out days | published | compact", rows)


def speed(found: Figures) -> str:
    """Return the table of what one Jacobian costs."""
    ways = (
        ("emulator", "emulator", ""),
        ("reference runs, one by one", "one_by_one", "jacobian_speedup"),
        ("reference runs, batched", "batched", "jacobian_speedup_batched"),
        ("reference adjoint", "adjoint", "jacobian_speedup_adjoint"),
    )
    rows = [
        (text, number(found, f"jacobian_seconds_{way}", ".3g"), number(found, key, ".1f") if key else "1")
        for text, way, key in ways
    ]
    return table("one Jacobian by | seconds | over the emulator", rows)


def exactness(found: Figures) -> str:
    """Return the table of dot tests, conservation and equality between ranks."""
    identical = {1: "yes", 0: "no"}.get(found.get("rank_identical"), ABSENT)
    rows = [
        ("worst dot test of any operator, 1 to 3 ranks", number(found, "dot_test_max", ".1e")),
        ("worst loss in conservative regridding", number(found, "conservation_max", ".1e")),
        ("`posterior.nc` with the same bits on 1, 2 and 3 ranks", identical),
        ("seconds of `import tradewind`", number(found, "import_seconds", ".3f")),
    ]
    return table("check | figure", rows)


TABLES: Tables = {
    "totals": totals,
    "agreement": agreement,
    "networks": networks,
    "speed": speed,
    "exactness": exactness,
}
