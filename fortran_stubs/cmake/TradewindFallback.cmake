# The module for compilers without assumed rank (TS 29113): the same calls, as generics over kinds and ranks, made
# from tradewind.f90 by replacing the parts between its marks. What differs: a communicator is an integer only.
set(TRADEWIND_KINDS real32 real64 int32 int64)
set(TRADEWIND_TYPES "real(real32)" "real(real64)" "integer(int32)" "integer(int64)")
set(TRADEWIND_SHAPES " " "(:)" "(:, :)" "(:, :, :)" "(:, :, :, :)" "(:, :, :, :, :)" "(:, :, :, :, :, :)"
  "(:, :, :, :, :, :, :)")
set(TRADEWIND_DOES put put_tangent put_adjoint get get_tangent get_adjoint bind)
set(TRADEWIND_RANKS 0 1 2 3 4 5 6 7)

# replace_part(VARIABLE MARK INSTEAD): what stands between `!@ MARK` and the next `!@ end`.
function(replace_part variable mark instead)
  set(all "${${variable}}")
  string(FIND "${all}" "!@ ${mark}\n" start)
  string(SUBSTRING "${all}" 0 ${start} before)
  string(SUBSTRING "${all}" ${start} -1 rest)
  string(FIND "${rest}" "!@ end\n" stop)
  math(EXPR stop "${stop} + 7")
  string(SUBSTRING "${rest}" ${stop} -1 after)
  set(${variable} "${before}${instead}${after}" PARENT_SCOPE)
endfunction()

function(fallback_bindings result)
  set(text "")
  foreach(does IN LISTS TRADEWIND_DOES)
    foreach(kind IN LISTS TRADEWIND_KINDS)
      foreach(rank IN LISTS TRADEWIND_RANKS)
        string(APPEND text "    procedure, private :: ${does}_${kind}_${rank}\n")
        string(APPEND text "    generic :: ${does} => ${does}_${kind}_${rank}\n")
      endforeach()
    endforeach()
  endforeach()
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

# One entry for each kind and rank; bind takes a pointer, as in the module with assumed rank.
function(fallback_entry result does kind type rank shape)
  set(meant "intent(in), target")
  set(local "    ${type}, pointer :: at${shape}\n")
  set(assign "    at => array\n")
  set(seen "at")
  if(does MATCHES "^get")
    set(meant "intent(inout), target")
  elseif(does STREQUAL "bind")
    set(meant "pointer, intent(inout)")
    set(local "")
    set(assign "")
    set(seen "array")
  endif()
  set(${result} "
  subroutine ${does}_${kind}_${rank}(c, name, array, status, units, first, cast, convert)
    class(tradewind_component), intent(in) :: c
    character(*), intent(in) :: name
    ${type}, ${meant} :: array${shape}
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: units
    integer, intent(in), optional :: first
    logical, intent(in), optional :: cast, convert
${local}
${assign}    call hand(c, do_${does}, name, seen_${kind}_${rank}(${seen}), status, units, first, cast, convert)
  end subroutine ${does}_${kind}_${rank}
" PARENT_SCOPE)
endfunction()

# How an array lies in memory: where its first element is, and how far its neighbours are from there.
function(fallback_seen result kind type rank shape)
  set(first "")
  set(body "")
  if(rank GREATER 0)
    foreach(axis RANGE 1 ${rank})
      list(APPEND low "lbound(at, ${axis})")
    endforeach()
    string(REPLACE ";" ", &\n      " first "${low}")
    set(first "( &\n      ${first})")
    string(APPEND body "    seen%extent(1:${rank}) = shape(at, c_int64_t)\n    if (size(at) == 0) return\n")
    foreach(axis RANGE 1 ${rank})
      math(EXPR place "${axis} - 1")
      set(next "${low}")
      list(REMOVE_AT next ${place})
      list(INSERT next ${place} "lbound(at, ${axis}) + 1")
      string(REPLACE ";" ", &\n      " next "${next}")
      string(APPEND body "    if (size(at, ${axis}) > 1) seen%stride(${axis}) = distance(seen%data, c_loc(at( &
      ${next})))\n")
    endforeach()
    string(REPLACE "return\n" "return\n    seen%data = c_loc(at${first})\n" body "${body}")
  else()
    set(body "    seen%data = c_loc(at)\n")
  endif()
  set(${result} "
  function seen_${kind}_${rank}(at) result(seen)
    ${type}, pointer, intent(in) :: at${shape}
    type(raw_array) :: seen

    seen = raw_array(c_null_ptr, tradewind_${kind}, ${rank}, 1, storage_size(at) / 8)
    if (.not. associated(at)) return
${body}  end function seen_${kind}_${rank}
" PARENT_SCOPE)
endfunction()

function(fallback_arrays result)
  set(text "
  !> Bytes from one address to another.
  function distance(from, to) result(bytes)
    type(c_ptr), intent(in) :: from, to
    integer(c_int64_t) :: bytes

    bytes = int(transfer(to, 0_c_intptr_t) - transfer(from, 0_c_intptr_t), c_int64_t)
  end function distance
")
  foreach(rank IN LISTS TRADEWIND_RANKS)
    list(GET TRADEWIND_SHAPES ${rank} shape)
    string(STRIP "${shape}" shape)
    foreach(kind type IN ZIP_LISTS TRADEWIND_KINDS TRADEWIND_TYPES)
      fallback_seen(seen ${kind} "${type}" ${rank} "${shape}")
      string(APPEND text "${seen}")
      foreach(does IN LISTS TRADEWIND_DOES)
        fallback_entry(entry ${does} ${kind} "${type}" ${rank} "${shape}")
        string(APPEND text "${entry}")
      endforeach()
    endforeach()
  endforeach()
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

set(TRADEWIND_FALLBACK_BOUND_INIT "    procedure, private :: init_alone, init_int32, init_int64
    generic :: init => init_alone, init_int32, init_int64
")
set(TRADEWIND_FALLBACK_INIT "
  !> Open a run config, or a network, for this process alone.
  subroutine init_alone(session, config, status, engine)
    class(tradewind_session), intent(inout) :: session
    character(*), intent(in) :: config
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: engine

    call open_session(session, config, status, engine=engine)
  end subroutine init_alone

  !> Open a run config, or a network, for the ranks of a communicator (of a type(MPI_Comm), its %MPI_VAL).
  subroutine init_int32(session, config, comm, status, engine)
    class(tradewind_session), intent(inout) :: session
    character(*), intent(in) :: config
    integer(int32), intent(in) :: comm
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: engine

    call open_session(session, config, status, int(comm, c_int32_t), engine)
  end subroutine init_int32

  subroutine init_int64(session, config, comm, status, engine)
    class(tradewind_session), intent(inout) :: session
    character(*), intent(in) :: config
    integer(int64), intent(in) :: comm
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: engine

    call open_session(session, config, status, int(comm, c_int32_t), engine)
  end subroutine init_int64
")

# tradewind_fallback(SOURCE TARGET): write the module; only when it has changed, so that nothing is built in vain.
function(tradewind_fallback source target)
  file(READ "${source}" text)
  string(REPLACE ";" "," text "${text}")
  fallback_bindings(bindings)
  fallback_arrays(arrays)
  replace_part(text bindings "${bindings}")
  replace_part(text bound_init "${TRADEWIND_FALLBACK_BOUND_INIT}")
  replace_part(text describing "")
  replace_part(text init "${TRADEWIND_FALLBACK_INIT}")
  replace_part(text arrays "${arrays}")
  string(REPLACE "c_int64_t, c_loc" "c_int64_t, c_intptr_t, c_loc" text "${text}")
  file(CONFIGURE OUTPUT "${target}" CONTENT "${text}" @ONLY)
endfunction()

# cmake -DSOURCE=... -DTARGET=... -P TradewindFallback.cmake makes it without a build
if(CMAKE_SCRIPT_MODE_FILE AND SOURCE)
  tradewind_fallback("${SOURCE}" "${TARGET}")
endif()
