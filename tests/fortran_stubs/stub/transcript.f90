!> A host that writes down everything that it is told, bit by bit: transcript CONFIG
program transcript
  use, intrinsic :: iso_fortran_env, only: int64, real64
  use tradewind, only: tradewind_component, tradewind_session, tradewind_status
  implicit none

  type(tradewind_session) :: session
  type(tradewind_component) :: pond
  type(tradewind_status) :: status
  character(1024) :: config
  real(real64) :: inflow(4), level(4), amount(4), rate
  real(real64), pointer :: lent(:)
  integer :: hour

  call get_command_argument(1, config)
  call session%init(trim(config), status=status)
  call told('init')
  call session%component('pond', pond, status)
  call told('component')
  inflow = [0.25_real64, 0.5_real64, 0.75_real64, 1.0_real64]
  rate = 0.125_real64
  call pond%put('rate', rate, status)
  call told('put rate')
  do hour = 0, 2
    ! in blocks of columns, as models with nproma do
    call pond%put('inflow', inflow(1:1), status, first=1)
    call pond%put('inflow', inflow(2:4), status, first=2)
    call told('put inflow')
    call pond%run(3600.0_real64 * hour, 3600.0_real64, status)
    call told('run')
    call pond%get('level', level, status)
    call told('get level')
    write (*, '(4z17.16)') transfer(level, 0_int64, 4)
    level = 0.0_real64
    call pond%get('level', level(4:1:-1), status, units='g2', convert=.true.)
    call told('get level in other units')
    write (*, '(4z17.16)') transfer(level, 0_int64, 4)
    inflow = inflow * 1.1_real64
  end do
  call pond%get('amount', amount, status)
  call told('get amount')
  write (*, '(4z17.16)') transfer(amount, 0_int64, 4)
  allocate (lent(4), source=0.0_real64)
  call pond%bind('level', lent, status)
  call told('bind')
  call pond%run(10800.0_real64, 3600.0_real64, status)
  call told('run')
  write (*, '(4z17.16)') transfer(lent, 0_int64, 4)
  ! a call that fails is told in the same words
  call pond%run(14400.0_real64, -1.0_real64, status)
  call told('run back in time')
  call session%finalize(status)
  call told('finalize')
  deallocate (lent)

contains

  subroutine told(call)
    character(*), intent(in) :: call

    write (*, '(a, i0, 4a)') call // ' ', status%code, ' ', status%component, ' ', status%message
  end subroutine told
end program transcript
