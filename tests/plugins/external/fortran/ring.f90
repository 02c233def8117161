! An MPI program: ranks share the cells of a field, swap the ends of their parts, and diffuse it.
!
!   u' = u + r (left - 2 u + right)      on a ring of cells
!
! Rank 0 reads restart.nc (U) and writes output.nc (U, RANKS).
program ring
  use mpi
  use netcdf
  implicit none
  integer, parameter :: dp = kind(1.0d0)
  integer :: rank, ranks, code, cells, own, file, found, dims(1), made, counted
  real(dp), allocatable :: whole(:), part(:)
  real(dp) :: left, right
  call mpi_init(code)
  call mpi_comm_rank(mpi_comm_world, rank, code)
  call mpi_comm_size(mpi_comm_world, ranks, code)
  if (rank == 0) then
    call check(nf90_open('restart.nc', nf90_nowrite, file))
    call check(nf90_inq_varid(file, 'U', found))
    call check(nf90_inquire_variable(file, found, dimids=dims))
    call check(nf90_inquire_dimension(file, dims(1), len=cells))
  end if
  call mpi_bcast(cells, 1, mpi_integer, 0, mpi_comm_world, code)
  own = cells / ranks
  allocate (whole(cells), part(own))
  if (rank == 0) then
    call check(nf90_get_var(file, found, whole))
    call check(nf90_close(file))
  end if
  call mpi_scatter(whole, own, mpi_double_precision, part, own, mpi_double_precision, 0, mpi_comm_world, code)
  call swap(part(own), left, 1)
  call swap(part(1), right, -1)
  call diffuse()
  call mpi_gather(part, own, mpi_double_precision, whole, own, mpi_double_precision, 0, mpi_comm_world, code)
  if (rank == 0) then
    call check(nf90_create('output.nc', ior(nf90_clobber, nf90_64bit_offset), file))
    call check(nf90_def_dim(file, 'cell', cells, dims(1)))
    call check(nf90_def_var(file, 'U', nf90_double, dims, made))
    call check(nf90_def_var(file, 'RANKS', nf90_int, counted))
    call check(nf90_enddef(file))
    call check(nf90_put_var(file, made, whole))
    call check(nf90_put_var(file, counted, ranks))
    call check(nf90_close(file))
  end if
  call mpi_finalize(code)

contains

  subroutine swap(mine, theirs, to)
    real(dp), intent(in) :: mine
    real(dp), intent(out) :: theirs
    integer, intent(in) :: to
    call mpi_sendrecv(mine, 1, mpi_double_precision, modulo(rank + to, ranks), 0, &
                      theirs, 1, mpi_double_precision, modulo(rank - to, ranks), 0, &
                      mpi_comm_world, mpi_status_ignore, code)
  end subroutine

  subroutine diffuse()
    real(dp) :: seen(0:own + 1)
    seen(1:own) = part
    seen(0) = left
    seen(own + 1) = right
    part = part + 0.25_dp * (seen(0:own - 1) - 2 * part + seen(2:own + 1))
  end subroutine

  subroutine check(status)
    integer, intent(in) :: status
    if (status == nf90_noerr) return
    print *, 'ring: ', trim(nf90_strerror(status))
    call mpi_abort(mpi_comm_world, 2, code)
  end subroutine

end program ring
