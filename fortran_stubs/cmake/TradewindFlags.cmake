# Flags of our own sources; what hosts compile with is theirs.
add_library(tradewind_flags INTERFACE)
if(TRADEWIND_STRICT)
  target_compile_options(tradewind_flags INTERFACE
    $<$<COMPILE_LANGUAGE:C,CXX>:-Wall;-Wextra;-Werror;-pedantic>
    $<$<COMPILE_LANGUAGE:Fortran>:-std=f2018;-Wall;-Wextra;-Werror>)
endif()
if(TRADEWIND_SANITIZE)
  target_compile_options(tradewind_flags INTERFACE -fsanitize=${TRADEWIND_SANITIZE} -fno-omit-frame-pointer -g)
  target_link_options(tradewind_flags INTERFACE -fsanitize=${TRADEWIND_SANITIZE})
endif()
