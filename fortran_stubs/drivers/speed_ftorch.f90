!> The other bridge: FTorch, as its own documentation uses it, with tensors that are made once.
module other_bridge
  use, intrinsic :: iso_fortran_env, only: real32
  use ftorch, only: torch_delete, torch_kCPU, torch_model, torch_model_forward, torch_model_load, torch_tensor, &
    torch_tensor_from_array
  implicit none
  private
  public :: bridge_open, bridge_forward, bridge_close

  type(torch_model) :: model
  type(torch_tensor) :: taken(1), given(1)

contains

  subroutine bridge_open(file, x, y)
    character(*), intent(in) :: file
    real(real32), intent(in), pointer, contiguous :: x(:, :), y(:, :)

    call torch_model_load(model, file, torch_kCPU)
    call torch_tensor_from_array(taken(1), x, torch_kCPU)
    call torch_tensor_from_array(given(1), y, torch_kCPU)
  end subroutine bridge_open

  subroutine bridge_forward()
    call torch_model_forward(model, taken, given)
  end subroutine bridge_forward

  subroutine bridge_close()
    call torch_delete(taken(1))
    call torch_delete(given(1))
    call torch_delete(model)
  end subroutine bridge_close
end module other_bridge
