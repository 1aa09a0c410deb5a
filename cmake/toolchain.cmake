# Language level, warnings, compiler cache, linker and output folders; the same for every target.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# One folder for all shared libraries, so that $ORIGIN finds the neighbours in the build tree as in the wheel.
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN")

# ccache: folders of one depth below one source tree share their hits, and so do clones of the repository.
find_program(FLOTT_CCACHE ccache)
if(FLOTT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(_ccache_dir "$ENV{CCACHE_DIR}")
  if(NOT _ccache_dir)
    set(_ccache_dir "$ENV{HOME}/.cache/ccache")
  endif()
  set(CMAKE_CXX_COMPILER_LAUNCHER
      env "CCACHE_DIR=${_ccache_dir}" "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1
      CCACHE_MAXSIZE=5G CCACHE_SLOPPINESS=time_macros "${FLOTT_CCACHE}")
endif()

find_program(FLOTT_MOLD mold)
find_program(FLOTT_LLD ld.lld)
if(FLOTT_MOLD)
  add_link_options(-fuse-ld=mold)
elseif(FLOTT_LLD)
  add_link_options(-fuse-ld=lld)
endif()

add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Of gcc 12, wrong on every `"text" + std::string` (gcc bug 105651).
  add_compile_options(-Wno-restrict)
endif()
if(FLOTT_WERROR)
  add_compile_options(-Werror)
endif()
if(FLOTT_DEBUG_CHECKS)
  add_compile_definitions(FLOTT_DEBUG_CHECKS=1)
endif()
if(FLOTT_SANITIZE)
  # Undefined behaviour ends the test instead of a line in its output.
  add_compile_options(-fsanitize=${FLOTT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FLOTT_SANITIZE})
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT FLOTT_SANITIZE)
  # Calls inside libflott.so need no detour through the symbol table.
  add_compile_options(-fno-semantic-interposition)
  add_link_options(-Wl,-Bsymbolic-functions)
endif()
