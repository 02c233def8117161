"""Fortran programs, written case by case: one kind, one rank, one form of an array each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from tradewind.bench.fortran.kinds import EXTENTS

TYPES = {
    "real32": "real(real32)",
    "real64": "real(real64)",
    "int32": "integer(int32)",
    "int64": "integer(int64)",
}
FILLER = -9
"""Stands where nothing was written."""


class Form(NamedTuple):
    """How an array lies in memory, in Fortran's words.

    Attributes
    ----------
    declare
        The memory `store`, and what else is declared.
    prepare
        Statements before it is used.
    array
        The array as it is handed over.
    """

    declare: str
    prepare: str
    array: str


def shaped(extents: Iterable[object]) -> str:
    """Return extents or sections in brackets; nothing for a scalar."""
    parts = [str(extent) for extent in extents]
    return f"({', '.join(parts)})" if parts else ""


def colons(rank: int) -> str:
    """Return the shape of an array that gets its extents later."""
    return shaped(":" * rank)


def every_second(extents: Sequence[int], first: int) -> str:
    """Return every second element of each dimension."""
    return shaped(f"{first}:{2 * n}:2" for n in extents)


def backwards(extents: Sequence[int]) -> str:
    """Return each dimension from its end."""
    return shaped(f"{n}:1:-1" for n in extents)


def whole(t: str, e: Sequence[int]) -> Form:
    """Return an array as it was declared."""
    return Form(f"{t} :: store{shaped(e)}", "", "store")


def slice_(t: str, e: Sequence[int]) -> Form:
    """Return a part along the last dimension; of a vector for a scalar."""
    if not e:
        return Form(f"{t} :: store(3)", "", "store(2)")
    last = [*e[:-1], e[-1] + 2]
    part = [":"] * (len(e) - 1) + [f"2:{e[-1] + 1}"]
    return Form(f"{t} :: store{shaped(last)}", "", f"store{shaped(part)}")


def strided(t: str, e: Sequence[int]) -> Form:
    """Return every second element of each dimension; a matrix' element for a scalar."""
    if not e:
        return Form(f"{t} :: store(2, 3)", "", "store(2, 2)")
    return Form(f"{t} :: store{shaped(2 * n for n in e)}", "", f"store{every_second(e, 1)}")


def negative(t: str, e: Sequence[int]) -> Form:
    """Return each dimension from its end; an element of such a vector for a scalar."""
    if not e:
        return Form(f"{t}, target :: store(3)\n    {t}, pointer :: p(:)", "p => store(3:1:-1)", "p(1)")
    return Form(f"{t} :: store{shaped(e)}", "", f"store{backwards(e)}")


def allocatable(t: str, e: Sequence[int]) -> Form:
    """Return an array that was allocated."""
    return Form(f"{t}, allocatable :: store{colons(len(e))}", f"allocate (store{shaped(e)})", "store")


def pointer(t: str, e: Sequence[int]) -> Form:
    """Return a pointer to all of an array."""
    declare = f"{t}, target :: store{shaped(e)}\n    {t}, pointer :: p{colons(len(e))}"
    return Form(declare, "p => store", "p")


def apart(t: str, e: Sequence[int]) -> Form:
    """Return a pointer to elements that are not neighbours."""
    if not e:
        return Form(f"{t}, target :: store(5)\n    {t}, pointer :: p", "p => store(4)", "p")
    declare = f"{t}, target :: store{shaped(2 * n for n in e)}\n    {t}, pointer :: p{colons(len(e))}"
    return Form(declare, f"p => store{every_second(e, 2)}", "p")


def component(t: str, e: Sequence[int]) -> Form:
    """Return a component of an array of structures."""
    return Form(f"type(cell_{kind_of(t)}) :: store{shaped(e)}", "", "store%q")


def dummy(t: str, e: Sequence[int]) -> Form:
    """Return a section that is handed on to a procedure, which takes a section of it."""
    if not e:
        return Form(f"{t} :: store(2)", "", "store(2)")
    return Form(f"{t} :: store{shaped(2 * n for n in e)}", "", f"store{every_second(e, 1)}")


FORMS: dict[str, Callable[[str, Sequence[int]], Form]] = {
    "whole": whole,
    "slice": slice_,
    "strided slice": strided,
    "negative stride": negative,
    "allocatable": allocatable,
    "pointer": pointer,
    "non-contiguous pointer": apart,
    "component of structures": component,
    "section of a dummy": dummy,
}


BOUND = "bound pointers"
"""Not among the nine: memory that is used where it lies, read from and written to."""


def bound(t: str, e: Sequence[int]) -> Form:
    """Return a pointer to a component of structures, and one for the answer to every second element."""
    ask = f"type(cell_{kind_of(t)}), target :: store{shaped(e)}\n    {t}, pointer :: p{colons(len(e))}"
    answer = f"{t}, target :: held{shaped(2 * n for n in e)}\n    {t}, pointer :: y{colons(len(e))}"
    prepare = f"p => store%q\n    y => held{every_second(e, 2)}\n    held = {FILLER}"
    return Form(f"{ask}\n    {answer}", prepare, "p")


def kind_of(fortran_type: str) -> str:
    """Return the name of a kind, such as real32."""
    return next(kind for kind, name in TYPES.items() if name == fortran_type)


@dataclass(frozen=True)
class Case:
    """One array of one kind, rank and form.

    Attributes
    ----------
    number
        From 1; its values begin at 300 times that, so that no case sees another's.
    kept
        Whether nobody answers: what was put is got back.
    """

    number: int
    kind: str
    rank: int
    form: str
    kept: bool = False

    @property
    def extents(self) -> tuple[int, ...]:
        """Extents as Fortran sees them."""
        return EXTENTS[: self.rank]

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.extents)

    @property
    def base(self) -> int:
        """What its values begin above."""
        return 300 * self.number

    @property
    def answered(self) -> bool:
        """Whether the component exports something made of it; else it is got back as it was put."""
        return not self.kept and self.rank > 0 and self.kind.startswith("real")

    @property
    def place(self) -> str:
        """Name of the component that takes it; memory that was bound stays so."""
        return f"{self.kind}_{self.rank}{'_bound' if self.form == BOUND else ''}"


def cases(kinds: Iterable[str], ranks: Iterable[int]) -> list[Case]:
    """Return all forms of these kinds and ranks."""
    every = [(kind, rank, form) for kind in kinds for rank in ranks for form in FORMS]
    return [Case(number, *which) for number, which in enumerate(every, 1)]


def values(case: Case) -> str:
    """Return the numbers that are put, in Fortran's order of elements."""
    if not case.rank:
        return f"{function_to(case.kind)}({case.base + 1}, {case.kind})"
    return f"reshape(counted_{case.kind}({case.base}, {case.size}), {list(case.extents)})"


def function_to(kind: str) -> str:
    """Return the function that converts into a kind of numbers."""
    return "real" if kind.startswith("real") else "int"


def counting() -> str:
    """Return functions that count on from a number."""
    return "".join(
        f"""
  pure function counted_{kind}(base, n) result(numbers)
    integer, intent(in) :: base, n
    {declared} :: numbers(n)
    integer :: i

    numbers = [({function_to(kind)}(base + i, {kind}), i = 1, n)]
  end function counted_{kind}
"""
        for kind, declared in TYPES.items()
    )


def there_and_back(case: Case, array: str) -> str:
    """Return the statements that put an array, run, and get it."""
    got = "y" if case.answered else "x"
    return f"""\
    {array} = &
      {values(case)}
    call c%put('x', {array}, status)
    if (.not. status%failed()) call c%run(0.0_real64, 3600.0_real64, status)
    {array} = {FILLER}
    if (.not. status%failed()) call c%get('{got}', {array}, status)
    if (status%failed()) print '(a)', status%message
    write (unit) status%code
    write (unit) {array}
    {array} = {FILLER}
"""


def in_place(case: Case, array: str) -> str:
    """Return the statements that run on bound memory, and see the answer there."""
    return f"""\
    call c%bind('x', {array}, status)
    if (.not. status%failed()) call c%bind('y', y, status)
    {array} = {values(case)}
    if (.not. status%failed()) call c%run(0.0_real64, 3600.0_real64, status)
    if (status%failed()) print '(a)', status%message
    write (unit) status%code
    write (unit) y
    {array} = {FILLER}
"""


def procedure(case: Case) -> str:
    """Return a case as a procedure; the last form needs one more, for its argument."""
    declared = TYPES[case.kind]
    form = (FORMS | {BOUND: bound})[case.form](declared, case.extents)
    statements = in_place if case.form == BOUND else there_and_back
    structure = case.form in {"component of structures", BOUND}
    fill = f"store%q = {FILLER}" if structure else f"store = {FILLER}"
    kept = "all([store%before == 7])" if structure else f"all([abs(store - ({FILLER})) < 1])"
    inner = case.form == "section of a dummy"
    work = f"    call inner_{case.number}(c, unit, {form.array})\n" if inner else statements(case, form.array)
    text = f"""
  subroutine case_{case.number}(session, unit)
    type(tradewind_session), intent(in) :: session
    integer, intent(in) :: unit
    {form.declare}
    type(tradewind_component) :: c
{"" if inner else "    type(tradewind_status) :: status"}
    call session%component('{case.place}', c)
    {form.prepare}
    {fill}
{work}    write (unit) merge(1, 0, {kept})
  end subroutine case_{case.number}
"""
    return text + (inner_procedure(case) if inner else "")


def inner_procedure(case: Case) -> str:
    """Return the procedure that takes a section as its argument."""
    array = f"a{backwards(case.extents)}"
    return f"""
  subroutine inner_{case.number}(c, unit, a)
    type(tradewind_component), intent(in) :: c
    integer, intent(in) :: unit
    {TYPES[case.kind]}, intent(inout) :: a{colons(case.rank)}
    type(tradewind_status) :: status

{there_and_back(case, array)}  end subroutine inner_{case.number}
"""


def structures() -> str:
    """Return types whose components are no neighbours in memory."""
    return "".join(
        f"""
  type :: cell_{kind}
    integer(int32) :: before = 7
    {declared} :: q
    integer(int64) :: after = 7
  end type cell_{kind}
"""
        for kind, declared in TYPES.items()
    )


def program(every: Sequence[Case]) -> str:
    """Return a program of these cases; its arguments are a config and a file for the answers."""
    calls = "\n".join(f"  call case_{case.number}(session, unit)" for case in every)
    return f"""\
module cases
  use, intrinsic :: iso_fortran_env, only: int32, int64, real32, real64
  use tradewind, only: tradewind_component, tradewind_session, tradewind_status
  implicit none
{structures()}
contains
{counting()}{"".join(procedure(case) for case in every)}
end module cases

program arrays
  use cases
  implicit none
  type(tradewind_session) :: session
  type(tradewind_status) :: status
  character(1024) :: config, answers
  integer :: unit

  call get_command_argument(1, config)
  call get_command_argument(2, answers)
  open (newunit=unit, file=answers, access='stream', form='unformatted', status='replace')
  call session%init(config, status=status)
  if (status%failed()) print '(a)', status%message
  if (status%failed()) error stop 2
{calls}
  call session%finalize(status)
  close (unit)
end program arrays
"""
