# libtradewind_mpi12.so: nothing in it, but the name libmpi.so.12, which mpi4py's wheel asks for where the host's MPI
# (an MPICH of a distribution, say) has the same ABI and another name. See engine/python/mpi.c.
if(TRADEWIND_HAVE_MPI AND UNIX AND NOT APPLE)
  add_library(tradewind_mpi12 SHARED "${TRADEWIND_ROOT}/engine/mpi_shim.c")
  target_link_libraries(tradewind_mpi12 PRIVATE $<BUILD_INTERFACE:tradewind_flags>)
  set_target_properties(tradewind_mpi12 PROPERTIES NO_SONAME ON)
  target_link_options(tradewind_mpi12 PRIVATE "-Wl,-soname,libmpi.so.12")
  add_dependencies(tradewind tradewind_mpi12)
  install(TARGETS tradewind_mpi12 LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
