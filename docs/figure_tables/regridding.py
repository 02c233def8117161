"""Tables of regridding: parity with ESMF, misfits, speed, wrong calls."""

from __future__ import annotations

import re

from figure_tables.rows import ABSENT, Figures, Tables, cell, measured, number, table

FUNCTIONS = ("sinusoid", "harmonic", "vortex", "gulfstream")
SIDES = ("tradewind", "esmpy")


def parity(found: Figures) -> str:
    """Return the table of how far native weights and ESMF's are apart."""
    measures = (
        ("weight files of ESMF compared", "parity_cases", "d", "at least 19 of 20"),
        ("largest difference of a weight", "parity_weight_error_max", ".1e", "1e-10"),
        ("largest difference, second order", "parity_weight_error_2nd_max", ".1e", "1e-9"),
        ("entries that only one side has", "parity_pattern_mismatches", "d", "0"),
        ("ESMF's weights applied here, against ESMPy's apply", "apply_error_max", ".1e", "5e-15"),
    )
    return measured(found, measures)


def operators(found: Figures) -> str:
    """Return the table of dot tests, constants, integrals, misfits over ESMF's and wrong calls."""
    measures = (
        ("worst dot test: method, norm, mask, 1 to 4 ranks", "dot_test_max", ".1e", "1e-14"),
        ("worst change of an integral", "conservation_max", ".1e", "1e-14"),
        ("worst deviation of a constant", "constant_max", ".1e", "1e-13"),
        ("the same for patch", "constant_patch_max", ".1e", "1e-12"),
        ("worst misfit over ESMF's", "misfit_excess_max", "+.2%", "1 %"),
        ("the same for nearest neighbours, with ties", "misfit_excess_nearest_max", "+.2%", ""),
        ("wrong calls tried", "misuse_cases", "d", "at least 20"),
        ("caught", "misuse_caught", "d", "all"),
    )
    return measured(found, measures)


def against_esmpy(found: Figures) -> str:
    """Return the table of times beside ESMPy's."""
    pair = "1440x720 to 576x288"
    weights = [
        (
            f"weights, {text}", *(number(found, f"weights_seconds_{key}_{side}", ".3g") for side in SIDES),
            number(found, f"weights_speedup_{key}", ".1f"), aim,
        )
        for text, key, aim in (
            (f"conservative, {pair}", "conservative", "15"),
            (f"bilinear, {pair}", "bilinear", "10"),
            ("conservative, rotated pair of equal size", "rotated", "8"),
        )
    ]  # fmt: skip
    applied = [
        (
            text, *(_seconds(found, f"apply_ms_{members}_{side}") for side in SIDES),
            number(found, f"apply_speedup_{members}", ".1f"), aim,
        )
        for text, members, aim in (("one field", 1, "1"), ("40 members as (member, cell)", 40, "5"))
    ]  # fmt: skip
    again = (
        "the operator again, from the cache", number(found, "cache_seconds", ".3g"),
        number(found, "weights_seconds_conservative_esmpy", ".3g"), number(found, "cache_speedup", ".0f"),
        "50",
    )  # fmt: skip
    return table("seconds on one core | tradewind | ESMPy | ratio | aim", [*weights, *applied, again])


def _seconds(found: Figures, key: str) -> str:
    value = found.get(key)
    return ABSENT if value is None else f"{value / 1e3:.3g}"


def resources(found: Figures) -> str:
    """Return the table of bandwidth and memory."""
    measures = (
        ("bandwidth of applying one field, over that of copying", "bandwidth_fraction", ".0%", "70 %"),
        ("the same for 40 members", "bandwidth_fraction_40", ".0%", "70 %"),
        ("peak memory from 10 million cells, GiB", "peak_gib_10m", ".1f", "8"),
    )
    return measured(found, measures)


def misfits(found: Figures) -> str:
    """Return the table of misfits of the standard functions, ESMF's and ours, case by case."""
    rows = []
    for case in found.get("cases", ()):
        name = re.sub(r"\W+", "_", case)
        for side, shown in (("esmf", "ESMF"), ("tradewind", "tradewind")):
            cells = [_misfit(found, f"{name}_{side}_{function}") for function in FUNCTIONS]
            kept = number(found, f"{name}_{side}_conservation", ".1e")
            rows.append((case if side == "esmf" else "", shown, *cells, kept))
    return table(f"case | by | {' | '.join(FUNCTIONS)} | conservation", rows)


def _misfit(found: Figures, key: str) -> str:
    values = [found.get(f"{key}_{what}") for what in ("mean", "largest", "rms")]
    return ABSENT if None in values else " / ".join(f"{value:.2e}" for value in values)


def misuse(found: Figures) -> str:
    """Return the table of wrong calls, and what comes of each."""
    names = [key.removesuffix("_says") for key in found if key.endswith("_says")]
    rows = [
        tuple(cell(found.get(f"{name}_{part}")) for part in ("says", "tradewind", "esmpy")) for name in names
    ]
    # text, not numbers
    return table("call | tradewind | ESMPy", rows).replace("---:", "---")


TABLES: Tables = {
    "parity": parity,
    "operators": operators,
    "against_esmpy": against_esmpy,
    "resources": resources,
    "misfits": misfits,
    "misuse": misuse,
}
