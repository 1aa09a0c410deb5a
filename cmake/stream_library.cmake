# stream_library, stream_plugin: a folder of cpp/ is one call that lists its sources and its neighbours.

set_property(GLOBAL PROPERTY FLOTT_LIBRARIES "")

# Adds a folder if it has a CMakeLists.txt.
function(flott_add_folder path)
  if(EXISTS "${CMAKE_SOURCE_DIR}/${path}/CMakeLists.txt")
    add_subdirectory("${CMAKE_SOURCE_DIR}/${path}" "${CMAKE_BINARY_DIR}/${path}")
  endif()
endfunction()

# Sets `out` to the listed sources that exist. One that is missing is an error in CI and a warning elsewhere,
# so that a half-written folder does not stop its neighbours; the build configures itself again when it appears.
function(flott_existing_sources out)
  set(found "")
  foreach(source IN LISTS ARGN)
    get_filename_component(path "${source}" ABSOLUTE)
    if(EXISTS "${path}")
      list(APPEND found "${path}")
    elseif(FLOTT_WERROR)
      message(FATAL_ERROR "${path} is listed in ${CMAKE_CURRENT_SOURCE_DIR}/CMakeLists.txt but does not exist.")
    else()
      message(WARNING "${path} is listed but does not exist yet; built without it.")
      file(GLOB _appears CONFIGURE_DEPENDS "${path}")
    endif()
  endforeach()
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

# The top folder of a library name: connectors_print -> connectors.
function(flott_folder_rank name out)
  string(REGEX REPLACE "_.*" "" top "${name}")
  list(FIND FLOTT_FOLDERS "${top}" rank)
  if(rank EQUAL -1)
    message(FATAL_ERROR "${name}: '${top}' is no folder of FLOTT_FOLDERS (CMakeLists.txt).")
  endif()
  set(${out} ${rank} PARENT_SCOPE)
endfunction()

# stream_library(NAME state SRCS a.cc b.cc [DEPS types checkpoint] [LIBS Some::library])
#
# A static position-independent library flott_<name>, part of libflott.so. DEPS names the folders whose code it
# calls (all of them, not only direct includes of their headers: tests link exactly this closure).
# A folder of headers only leaves SRCS away. A sub-folder is <folder>_<sub>, as in connectors_print.
function(stream_library)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SRCS;DEPS;LIBS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME)
    message(FATAL_ERROR "stream_library(NAME ... SRCS ... DEPS ... LIBS ...), not: ${ARGV}")
  endif()
  flott_folder_rank(${arg_NAME} rank)
  foreach(dep IN LISTS arg_DEPS)
    flott_folder_rank(${dep} dep_rank)
    if(dep_rank GREATER rank)
      message(FATAL_ERROR "cpp/${arg_NAME} must not depend on cpp/${dep}: it is below it in STYLE's table.")
    endif()
  endforeach()
  set_property(GLOBAL PROPERTY FLOTT_DEPS_${arg_NAME} "${arg_DEPS}")

  flott_existing_sources(sources ${arg_SRCS})
  if(NOT sources)
    return() # headers only
  endif()
  add_library(flott_${arg_NAME} STATIC ${sources})
  target_include_directories(flott_${arg_NAME} PUBLIC "${CMAKE_SOURCE_DIR}/cpp")
  target_link_libraries(flott_${arg_NAME} PUBLIC flott_dependencies ${arg_LIBS})
  set_property(GLOBAL APPEND PROPERTY FLOTT_LIBRARIES ${arg_NAME})
endfunction()

# Sets `out` to the targets of the given folders and of everything they depend on.
function(flott_closure out)
  set(open ${ARGN})
  set(seen "")
  set(targets "")
  while(open)
    list(POP_FRONT open name)
    if(name IN_LIST seen)
      continue()
    endif()
    list(APPEND seen ${name})
    if(TARGET flott_${name})
      list(APPEND targets flott_${name})
    endif()
    get_property(deps GLOBAL PROPERTY FLOTT_DEPS_${name})
    list(APPEND open ${deps})
  endwhile()
  set(${out} "${targets}" PARENT_SCOPE)
endfunction()

# libflott.so: every stream_library, whole (an operator that only Python names must not be dropped by the linker).
function(flott_add_core)
  get_property(names GLOBAL PROPERTY FLOTT_LIBRARIES)
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/generated/version.cc" @ONLY CONTENT [=[
/// Written by CMake: the version of the library, for logs and `pyflink.version`.
extern "C" const char* flott_version() { return "@PROJECT_VERSION@"; }
]=])
  add_library(flott SHARED "${CMAKE_BINARY_DIR}/generated/version.cc")
  target_include_directories(flott PUBLIC "${CMAKE_SOURCE_DIR}/cpp")
  target_link_libraries(flott PUBLIC flott_dependencies)
  foreach(name IN LISTS names)
    target_link_libraries(flott PRIVATE "$<LINK_LIBRARY:WHOLE_ARCHIVE,flott_${name}>")
  endforeach()
  install(TARGETS flott LIBRARY DESTINATION pyflink COMPONENT python)
endfunction()

# stream_plugin(NAME kafka SRCS ... [LIBS PkgConfig::rdkafka])
#
# A shared library libflott_<name>.so beside libflott.so, which loads it by dlopen at first use: a process that
# does not talk to Kafka does not pay for librdkafka and its TLS library at start.
function(stream_plugin)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SRCS;DEPS;LIBS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME)
    message(FATAL_ERROR "stream_plugin(NAME ... SRCS ... LIBS ...), not: ${ARGV}")
  endif()
  flott_existing_sources(sources ${arg_SRCS})
  if(NOT sources)
    return()
  endif()
  add_library(flott_${arg_NAME} SHARED ${sources})
  target_link_libraries(flott_${arg_NAME} PUBLIC flott ${arg_LIBS})
  set_property(GLOBAL APPEND PROPERTY FLOTT_PLUGINS flott_${arg_NAME})
  install(TARGETS flott_${arg_NAME} LIBRARY DESTINATION pyflink COMPONENT python)
endfunction()
