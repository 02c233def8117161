"""Makes the tables of the pages from the benchmarks' figures, and pastes the result into the README.

    tradewind bench permian --json > docs/benchmarks/permian.json
    tradewind bench regrid --json > docs/benchmarks/regrid.json
    tradewind bench misfits --json > docs/benchmarks/misfits.json
    tradewind bench misuse --json > docs/benchmarks/misuse.json
    tradewind bench exchange --json > docs/benchmarks/exchange.json
    tradewind bench fortran --json > docs/benchmarks/fortran.json
    tradewind bench assimilation --json > docs/benchmarks/assimilation.json
    tradewind bench methane --json > docs/benchmarks/methane.json
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
from pathlib import Path
from tempfile import TemporaryDirectory

from figure_tables import assimilation, coupled, fortran, methane, permian, regridding
from figure_tables.rows import Figures, Tables, conditions

FOLDER = Path(__file__).parent
FIGURES = FOLDER / "benchmarks" / "permian.json"
PAGE = FOLDER / "permian.md"
BENCHMARKS = FOLDER / "benchmarks"
PAGES = {
    PAGE: ("permian",), FOLDER / "misuse.md": ("misuse",), FOLDER / "regridding.md": ("misfits", "regrid"),
    FOLDER / "coupled.md": ("exchange",), FOLDER / "assimilation.md": ("assimilation",),
    FOLDER / "fortran.md": ("fortran",), FOLDER / "fortran-misuse.md": ("fortran",),
    FOLDER / "methane.md": ("methane",),
}  # fmt: skip
"""Pages with tables, and the benchmarks that they show; of keys in several, the last counts."""
SECTION = re.compile(r"(<!-- table: ([a-z_]+) -->\n).*?(<!-- end of table -->)", re.S)
README = FOLDER.parent / "README.md"
RESULT = re.compile(r"(<!-- result -->\n).*?(<!-- end of result -->)", re.S)
COMMAND = "tradewind run examples/permian.yaml"


def figures(path: Path = FIGURES) -> Figures:
    """Return the committed figures; an empty mapping before the first run."""
    return json.loads(path.read_text()) if path.is_file() else {}


def figures_of(page: Path) -> Figures:
    """Return the committed figures of all benchmarks that a page shows."""
    return {k: v for stem in PAGES[page] for k, v in figures(BENCHMARKS / f"{stem}.json").items()}


def rendered(page: str, found: Figures) -> str:
    """Return the text of the page with every marked table made anew."""
    return SECTION.sub(lambda m: f"{m[1]}\n{TABLES[m[2]](found)}\n\n{m[3]}", page)


TABLES: Tables = {
    "conditions": conditions,
    **permian.TABLES, **regridding.TABLES, **coupled.TABLES, **assimilation.TABLES,
    **fortran.TABLES, **methane.TABLES,
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
