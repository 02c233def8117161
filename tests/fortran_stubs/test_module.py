"""The Fortran module: what it knows without a session, and what it says of one that was never opened."""

from __future__ import annotations

VERSION = """
program version
  use tradewind, only: tradewind_version
  implicit none

  print '(a)', tradewind_version()
end program version
"""

UNOPENED = """
program unopened
  use tradewind, only: tradewind_component, tradewind_session, tradewind_status
  implicit none
  type(tradewind_session) :: session
  type(tradewind_component) :: c
  type(tradewind_status) :: status

  call session%analyse(status)
  print '(l1, 1x, a, 1x, a)', status%failed(), status%name(), status%message
  call c%put('x', [1.0, 2.0], status)
  print '(l1, 1x, a, 1x, a)', status%failed(), status%name(), status%field
  call session%finalize(status)
  print '(l1, 1x, a, 1x, i0)', status%failed(), status%name(), len(status%message)
end program unopened
"""


def test_the_library_tells_its_version(compile_host, launch):
    assert launch(compile_host(VERSION)).stdout == "0.1.0\n"


def test_a_session_that_was_never_opened_is_named(compile_host, launch):
    lines = launch(compile_host(UNOPENED)).stdout.splitlines()
    assert lines[0].startswith("T closed ")
    assert lines[1].startswith("T closed ")
    assert lines[2] == "F ok 0"


def test_the_stub_library_has_the_same_module(compile_host, launch):
    assert launch(compile_host(UNOPENED, library="tradewind_stub")).stdout.startswith("T closed ")
