"""Reads the code blocks of Markdown pages, runs them, and compares what they print with what the page shows.

A block is marked by comments on the lines before its fence: ``<!-- file: NAME -->`` writes it to a file,
``<!-- exit: 2 -->`` expects another exit code than 0, ``<!-- no-run: REASON -->`` leaves it out.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from preloaded import Preloaded

FENCE = re.compile(r"^```(\w*)\s*$")
MARK = re.compile(r"^<!-- ([a-z-]+): (.*) -->$")
TIME = re.compile(r"\d[\d.]*(?: × 10\S+)?\s?(?:µs|ms|s|min|h)(?![A-Za-z0-9])")
THOUSANDS = re.compile(r"(?<=\d)[ \N{THIN SPACE}](?=\d{3}\b)")
NUMBER = re.compile(r"^[-\u2212+]?\d[\d.]*$")
TOLERANCE = 0.02
"""Relative; the last decimal shown may always differ by one."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether it is executed."""
        return self.language in {"python", "console"} and "no-run" not in self.marks


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page in order."""
    lines, marks, start, language = page.read_text().splitlines(), dict[str, str](), 0, ""
    for number, line in enumerate(lines, 1):
        fence, mark = FENCE.match(line), MARK.match(line)
        if start and line == "```":
            yield Block(page, start, language, "\n".join(lines[start : number - 1]) + "\n", marks)
            start, marks = 0, {}
        elif not start and fence:
            start, language = number, fence[1]
        elif not start and mark:
            marks[mark[1]] = mark[2]
        elif not start and line.strip():
            marks = {}


@dataclass
class Runner:
    """Runs the blocks of one page in one folder, Python blocks in one namespace.

    Attributes
    ----------
    mpiexec
        Command that starts ranks.
    preloaded
        Where ``tradewind`` is run; None: in new processes.
    """

    folder: Path
    mpiexec: str
    preloaded: Preloaded | None = None
    names: dict[str, object] = field(default_factory=lambda: {"__name__": "__docs__"})

    def run(self, block: Block) -> None:
        """Write, execute or skip a block.

        Raises
        ------
        AssertionError
            When a command ends or prints otherwise than the page says.
        """
        if "file" in block.marks:
            (self.folder / block.marks["file"]).write_text(block.text)
        elif block.runs and block.language == "python":
            # the line numbers of a traceback are those of the page
            source = "\n" * block.line + block.text
            exec(compile(source, str(block.page), "exec"), self.names)
        elif block.runs:
            for command, output in sessions(block.text):
                self._command(block, command, output)

    def _command(self, block: Block, command: str, expected: list[str]) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "120", "PYTHONPATH": str(self.folder)}
        code, printed = self._done(command, environment)
        where = f"{block.page.name}:{block.line}: {command}"
        assert code == int(block.marks.get("exit", 0)), f"{where}\n{printed}"
        missing = unmatched(expected, printed.splitlines())
        assert missing is None, f"{where}\nnot printed: {missing}\n{printed}"

    def _done(self, command: str, environment: Mapping[str, str]) -> tuple[int, str]:
        """Return exit code and output of a command."""
        program, *arguments = shlex.split(command)
        if self.preloaded is not None and program.rpartition("/")[2] == "tradewind":
            return self.preloaded.run(arguments, self.folder, environment)
        done = subprocess.run(
            self.words(command), cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def words(self, command: str) -> list[str]:
        """Return a command with the programs of this environment."""
        python = [sys.executable]
        programs = {
            "tradewind": [*python, "-m", "tradewind"],
            ".venv/bin/tradewind": [*python, "-m", "tradewind"],
            "python": python,
            "pytest": [*python, "-m", "pytest", "-p", "no:cacheprovider"],
            "mpiexec": [self.mpiexec],
        }
        return [word for part in shlex.split(command) for word in programs.get(part, [part])]


def sessions(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield commands of a console block and the lines that the page shows below each."""
    parts = re.split(r"^\$ ", text, flags=re.M)
    if parts[0].strip():
        raise ValueError(f"a console block begins with '$ ', not {parts[0]!r}")
    for part in parts[1:]:
        command, *output = part.replace("\\\n", " ").splitlines()
        yield command, [line for line in output if line.strip() and line.strip() not in {"...", "…"}]


def unmatched(expected: list[str], printed: list[str]) -> str | None:
    """Return the first line of `expected` that `printed` does not hold, in order; None if it holds all."""
    rest = iter(printed)
    return next((line for line in expected if not any(same(line, other) for other in rest)), None)


def same(shown: str, printed: str) -> bool:
    """Compare two lines word by word: numbers need be nearly equal, times, spacing and rules not at all."""
    a, b = words_of(shown), words_of(printed)
    return len(a) == len(b) and all(fits(x, y) or near(x, y) for x, y in zip(a, b, strict=True))


def fits(shown: str, printed: str) -> bool:
    """Return whether two words are equal, ``…`` standing for anything."""
    return re.fullmatch(".*".join(map(re.escape, shown.split("…"))), printed) is not None


def words_of(line: str) -> list[str]:
    """Return the words of a line, without rules and thousands' spaces, one word for every time."""
    line = TIME.sub("TIME", THOUSANDS.sub("", line))
    return re.sub(r"[\u2500-\u257f|]", " ", line).split()


def near(shown: str, printed: str) -> bool:
    """Return whether two words are numbers that are nearly equal."""
    pair = [word.strip("(),:%").replace("\u2212", "-") for word in (shown, printed)]
    if not all(NUMBER.match(word) for word in pair):
        return False
    a, b = map(float, pair)
    decimals = len(pair[0].partition(".")[2])
    return abs(a - b) <= max(TOLERANCE * abs(a), 1.01 * 10.0**-decimals if decimals else 0.0)
