"""Makes the tables of ``permian.md`` from the benchmark's figures, and pastes the result into the README.

    tradewind bench permian --json > docs/benchmarks/permian.json
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
SECTION = re.compile(r"(<!-- table: ([a-z]+) -->\n).*?(<!-- end of table -->)", re.S)
README = FOLDER.parent / "README.md"
RESULT = re.compile(r"(<!-- result -->\n).*?(<!-- end of result -->)", re.S)
COMMAND = "tradewind run examples/permian.yaml"
ABSENT = "–"
RUN_AS = ("reference", "surrogate", "guarded", "shadow")
Figures = Mapping[str, Any]


def figures(path: Path = FIGURES) -> Figures:
    """Return the committed figures; an empty mapping before the first run."""
    return json.loads(path.read_text()) if path.is_file() else {}


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
    shown = ", ".join(f"{name} {versions[name]}" for name in ("torch", "numpy", "scipy") if name in versions)
    commit = str(found.get("commit", ABSENT))[:12]
    return f"Commit `{commit}`, {found.get('date', ABSENT)}, {found.get('cores', ABSENT)} cores, {shown}."


TABLES = {
    "totals": totals, "agreement": agreement, "networks": networks, "speed": speed, "exactness": exactness,
    "conditions": conditions,
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
        PAGE.write_text(rendered(PAGE.read_text(), figures()))
    if asked.result:
        pasted = result()
        README.write_text(RESULT.sub(lambda m: m[1] + pasted + m[2], README.read_text()))


if __name__ == "__main__":
    main()
