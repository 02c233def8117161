"""The page's first program compiles as it stands there, and prints what the page shows."""

from __future__ import annotations

from pathlib import Path

import docblocks

PAGE = Path(__file__).parents[2] / "docs" / "fortran.md"


def test_the_first_program_prints_what_the_page_shows(compile_host, launch, tmp_path):
    blocks = list(docblocks.blocks(PAGE))
    for block in blocks:
        if "file" in block.marks:
            (tmp_path / block.marks["file"]).write_text(block.text)
    shown = next(block.text for block in blocks if block.language == "text")
    program = compile_host(tmp_path / "first.f90")
    assert launch(program).stdout == shown
