"""The Fortran module: what it knows without a session, and what it says of one that was never opened."""

from __future__ import annotations

import pytest

UNOPENED = """
program unopened
  use tradewind, only: tradewind_component, tradewind_session, tradewind_status, tradewind_version
  implicit none
  type(tradewind_session) :: session
  type(tradewind_component) :: c
  type(tradewind_status) :: status

  print '(a)', tradewind_version()
  call session%analyse(status)
  print '(l1, 1x, a, 1x, a)', status%failed(), status%name(), status%message
  call c%put('x', [1.0, 2.0], status)
  print '(l1, 1x, a, 1x, a)', status%failed(), status%name(), status%field
  call session%finalize(status)
  print '(l1, 1x, a, 1x, i0)', status%failed(), status%name(), len(status%message)
end program unopened
"""


@pytest.mark.parametrize("library", ["tradewind", "tradewind_stub"])
def test_a_session_that_was_never_opened_is_named(compile_host, launch, library):
    version, *lines = launch(compile_host(UNOPENED, library=library)).stdout.splitlines()
    assert version == "0.1.0"
    assert lines[0].startswith("T closed ")
    assert lines[1].startswith("T closed ")
    assert lines[2] == "F ok 0"
