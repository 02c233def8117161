# Where everything goes: libraries, header, module, CMake package, pkg-config files.
include(CMakePackageConfigHelpers)

install(TARGETS tradewind tradewind_stub EXPORT tradewind
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES "${CMAKE_CURRENT_SOURCE_DIR}/tradewind.h" "${CMAKE_Fortran_MODULE_DIRECTORY}/tradewind.mod"
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
