"""Makes the tables of the pages from the benchmarks' figures, and pastes the result into the README.

    tradewind bench permian --json > docs/benchmarks/permian.json
    tradewind bench regrid --json > docs/benchmarks/regrid.json
    tradewind bench misfits --json > docs/benchmarks/misfits.json
    tradewind bench misuse --json > docs/benchmarks/misuse.json
    tradewind bench exchange --json > docs/benchmarks/exchange.json
    tradewind bench assimilation --json > docs/benchmarks/assimilation.json
    python docs/doctables.py --update
    python docs/doctables.py --result

Tests fail while the pages show anything else.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FOLDER = Path(__file__).parent
FIGURES = FOLDER / "benchmarks" / "permian.json"
PAGE = FOLDER / "permian.md"
BENCHMARKS = FOLDER / "benchmarks"
PAGES = {
    PAGE: ("permian",), FOLDER / "misuse.md": ("misuse",), FOLDER / "regridding.md": ("misfits", "regrid"),
    FOLDER / "coupled.md": ("exchange",), FOLDER / "assimilation.md": ("assimilation",),
}  # fmt: skip
"""Pages with tables, and the benchmarks that they show; of keys in several, the last counts."""
FUNCTIONS = ("sinusoid", "harmonic", "vortex", "gulfstream")
SECTION = re.compile(r"(<!-- table: ([a-z_]+) -->\n).*?(<!-- end of table -->)", re.S)
README = FOLDER.parent / "README.md"
RESULT = re.compile(r"(<!-- result -->\n).*?(<!-- end of result -->)", re.S)
COMMAND = "tradewind run examples/permian.yaml"
ABSENT = "–"
LIBRARIES = ("torch", "numpy", "scipy", "esmpy")
RUN_AS = ("reference", "surrogate", "guarded", "shadow")
Figures = Mapping[str, Any]


def figures(path: Path = FIGURES) -> Figures:
    """Return the committed figures; an empty mapping before the first run."""
    return json.loads(path.read_text()) if path.is_file() else {}


def figures_of(page: Path) -> Figures:
    """Return the committed figures of all benchmarks that a page shows."""
    return {k: v for stem in PAGES[page] for k, v in figures(BENCHMARKS / f"{stem}.json").items()}


def rendered(page: str, found: Figures) -> str:
    """Return the text of the page with every marked table made anew."""
    return SECTION.sub(lambda m: f"{m[1]}\n{TABLES[m[2]](found)}\n\n{m[3]}", page)


def table(header: str, rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table; all columns but the first are aligned to the right."""
    names = header.split(" | ")
    rule = ["---", *["---:"] * (len(names) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (names, rule, *rows))


def number(found: Figures, key: str, form: str = ".3f") -> str:
    """Return a figure as text; a dash when it is not known."""
    value = found.get(key)
    return ABSENT if value is None else format(value, form)


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


def conditions(found: Figures) -> str:
    """Return the line that says where and with what the figures were made."""
    if not found:
        return "The figures have not been computed yet."
    versions = found.get("versions", {})
    shown = ", ".join(f"{name} {versions[name]}" for name in LIBRARIES if name in versions)
    commit = str(found.get("commit", ABSENT))[:12]
    return f"Commit `{commit}`, {found.get('date', ABSENT)}, {found.get('cores', ABSENT)} cores, {shown}."


def parity(found: Figures) -> str:
    """Return the table of how far native weights and ESMF's are apart."""
    measures = (
        ("weight files of ESMF compared", "parity_cases", "d", "at least 19 of 20"),
        ("largest difference of a weight", "parity_weight_error_max", ".1e", "1e-10"),
        ("largest difference, second order", "parity_weight_error_2nd_max", ".1e", "1e-9"),
        ("entries that only one side has", "parity_pattern_mismatches", "d", "0"),
        ("ESMF's weights applied here, against ESMPy's apply", "apply_error_max", ".1e", "5e-15"),
    )
    return _measures(found, measures)


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
    return _measures(found, measures)


def _measures(found: Figures, measures: tuple[tuple[str, str, str, str], ...]) -> str:
    rows = [(text, number(found, key, form), aim) for text, key, form, aim in measures]
    return table("measure | figure | aim", rows)


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


SIDES = ("tradewind", "esmpy")


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
    return _measures(found, measures)


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
        tuple(_cell(found.get(f"{name}_{part}")) for part in ("says", "tradewind", "esmpy")) for name in names
    ]
    # text, not numbers
    return table("call | tradewind | ESMPy", rows).replace("---:", "---")


def _cell(text: Any) -> str:
    return ABSENT if text is None else str(text).replace("|", "\\|").replace("<", "&lt;")


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


def assimilation(found: Figures) -> str:
    """Return the table of what other systems publish, and of what must agree."""
    identical = {1: "yes", 0: "no"}.get(found.get("rank_identical"), ABSENT)
    measures = (
        ("PDAF: worst difference of any mean or member", "pdaf_error_max", ".1e", "1e-12"),
        ("DAPPER: worst difference of a member, single analyses", "dapper_member_error", ".1e", "1e-12"),
        ("OOPS: worst difference of forward runs", "oops_forward_error", ".1e", "1e-13"),
        ("OOPS: 3D-Var, cost at the exact minimum, relative", "oops_3dvar_cost_error", ".1e", "1e-9"),
        ("OOPS: 3D-Var, cost after two outer loops, relative", "oops_3dvar_loop_2_j_error", ".1e", "1e-10"),
        ("adjoint of 48 h: worst dot test", "oops_adjoint_error", ".1e", "1e-14"),
        ("tangent of 48 h: best agreement with differences", "oops_tangent_error", ".1e", "1e-7"),
        ("linear and Gaussian: worst difference of methods", "equivalence_error_max", ".1e", "1e-10"),
        ("DAPPER's time per cycle over ours, LETKF, N = 7", "dapper_speedup_letkf", ".1f", "10"),
    )
    rows = [(text, number(found, key, form), aim) for text, key, form, aim in measures]
    return table(
        "measure | figure | aim", [*rows, ("the same bits on 1, 2, 3 and 4 ranks", identical, "yes")]
    )


def scores(found: Figures) -> str:
    """Return the table of DAPPER's twin: scores of both sides."""
    rows = []
    filters = (
        ("letkf", "LETKF, N = 7"), ("sqrt", "ETKF, N = 24, inflation learnt"),
        ("sqrt_plain", "ETKF, N = 24, inflation 1.013 alone"), ("enkf", "EnKF, N = 40"),
    )  # fmt: skip
    for key, text in filters:
        cells = (number(found, f"dapper_{what}_{key}", ".4f") for what in ("rmse", "spread"))
        theirs = number(found, f"dapper_rmse_{key}_theirs", ".4f")
        rows.append((text, *cells, theirs, number(found, f"dapper_z_{key}", "+.2f")))
    return table("filter | RMSE | spread | DAPPER's RMSE | z (at most 1)", rows)


def swap(found: Figures) -> str:
    """Return the table of two methods with the model and with its surrogate."""
    measures = (
        ("error of the factors, RMS", "rmse", ".3f"), ("spread", "spread", ".3f"),
        ("cost, prior", "cost_prior", ".1f"), ("cost, observations", "cost_observations", ".0f"),
        ("seconds", "seconds", ".1f"),
    )  # fmt: skip
    rows = []
    for name, text in (("letkf", "LETKF"), ("4dvar", "4D-Var")):
        for what, key, form in measures:
            cells = [number(found, f"swap_{name}_{key}_{side}", form) for side in RUN_AS[:2]]
            if cells != [ABSENT, ABSENT]:
                rows.append((f"{text}: {what}", *cells))
        gap = number(found, f"swap_{name}_gap", ".3f")
        rows.append((f"{text}: RMS difference of the two answers", gap, ""))
    return table("`run_as:` | reference | surrogate", rows)


def scaling(found: Figures) -> str:
    """Return the table of a million variables, measured and extrapolated."""
    measures = (
        ("seconds on one rank", "letkf_1m_seconds_1", ".1f"), ("seconds on two", "letkf_1m_seconds_2", ".1f"),
        ("parallel efficiency on two", "parallel_efficiency_2", ".2f"),
        ("peak memory, all ranks, GiB (aim: 4)", "letkf_1m_peak_gib", ".2f"),
        ("error of the mean before", "letkf_1m_rmse_before", ".3f"),
        ("error of the mean after", "letkf_1m_rmse_after", ".3f"),
        ("observations sent on two ranks, bytes", "letkf_1m_bytes_2", ",d"),
        ("model of 1000 ranks: most work of a rank over the mean", "model_work_max_over_mean", ".2f"),
        ("model: messages of a rank", "model_messages", ",d"),
        ("model: bytes to a rank", "model_bytes", ",.0f"),
        ("model: latency measured here, microseconds", "model_latency_us", ".1f"),
        ("model: bandwidth measured here, GB/s", "model_bandwidth_gb_s", ".1f"),
        ("model: seconds of analysis", "model_compute_seconds", ".3f"),
        ("model: seconds of exchange", "model_exchange_seconds", ".4f"),
        ("model: efficiency", "model_efficiency", ".2f"),
    )  # fmt: skip
    return table("LETKF | figure", [(text, number(found, key, form)) for text, key, form in measures])


KINDS = ("keep", "checkpoints")
TABLES = {
    "totals": totals, "agreement": agreement, "networks": networks, "speed": speed, "exactness": exactness,
    "conditions": conditions, "parity": parity, "operators": operators, "against_esmpy": against_esmpy,
    "resources": resources, "misfits": misfits, "misuse": misuse, "exchanges": exchanges,
    "checkpointing": checkpointing, "assimilation": assimilation, "scores": scores, "swap": swap,
    "scaling": scaling,
}  # fmt: skip


def result() -> str:
    """Run the example and return its command and table as a console block."""
    with TemporaryDirectory() as folder:
        files = [f"output.file={folder}/posterior.nc", f"output.report={folder}/posterior.html"]
        options = [word for file in files for word in ("--set", file)]
        program = [sys.executable, "-m", *COMMAND.split(), *options]
        wide = os.environ | {"COLUMNS": "100"}
        done = subprocess.run(
            program, cwd=FOLDER.parent, env=wide, capture_output=True, text=True, check=True
        )
    table, rest = re.split(r"(?=^Who answered)", done.stdout, maxsplit=1, flags=re.M)
    lines = [f"$ {COMMAND}", *(line.rstrip() for line in table.splitlines()), "..." if rest else ""]
    return "\n".join(["```console", *lines, "```", ""])


def main() -> None:
    """Rewrite what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true", help="make the tables anew")
    parser.add_argument("--result", action="store_true", help="run the example and paste its table")
    asked = parser.parse_args()
    if asked.update:
        for page in PAGES:
            page.write_text(rendered(page.read_text(), figures_of(page)))
    if asked.result:
        pasted = result()
        README.write_text(RESULT.sub(lambda m: m[1] + pasted + m[2], README.read_text()))


if __name__ == "__main__":
    main()
