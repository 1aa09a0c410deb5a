# stream_test(FOLDER types NAME batch_test SRCS batch_test.cc [DEPS formats ...] [PLUGINS kafka] [HARNESS] [LIBS ...]
#             [TIMEOUT 60] [FILTER -*Slow*])
#
# A GoogleTest executable <folder>_<name>, one ctest entry of the same name (labels: the folder). It links the
# static libraries of FOLDER, of DEPS and of all they depend on, so that it builds while an unrelated folder does not.
# With PLUGINS it links libflott.so and those plugins instead; a test that loads a plugin must name it there, else the
# engine would be in the process twice. Folders from runtime/ on get tests/harness by themselves, others with HARNESS.
# One test of it:  build/dev/bin/types_batch_test --gtest_filter='Batch.Slice*'

set(FLOTT_TEST_ENVIRONMENT
    "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:detect_leaks=1"
    "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/cpp/sanitizers/lsan.supp:print_suppressions=0"
    "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
    "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/cpp/sanitizers/tsan.supp:halt_on_error=1:second_deadlock_stack=1")

# Thread sanitizer of gcc 12 cannot place its shadow memory when the kernel randomises many address bits.
set(FLOTT_TEST_LAUNCHER "")
if(FLOTT_SANITIZE MATCHES "thread")
  find_program(FLOTT_SETARCH setarch)
  if(FLOTT_SETARCH)
    set(FLOTT_TEST_LAUNCHER "${FLOTT_SETARCH}" --addr-no-randomize)
  endif()
endif()

function(stream_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "HARNESS" "FOLDER;NAME;TIMEOUT;FILTER" "SRCS;DEPS;PLUGINS;LIBS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_FOLDER OR NOT arg_NAME)
    message(FATAL_ERROR "stream_test(FOLDER ... NAME ... SRCS ... DEPS ... PLUGINS ...), not: ${ARGV}")
  endif()
  foreach(plugin IN LISTS arg_PLUGINS)
    if(NOT TARGET flott_${plugin})
      message(STATUS "${arg_FOLDER}_${arg_NAME} left out: plugin ${plugin} is not built")
      return()
    endif()
  endforeach()
  flott_existing_sources(sources ${arg_SRCS})
  if(NOT sources)
    return()
  endif()
  set(target ${arg_FOLDER}_${arg_NAME})
  add_executable(${target} ${sources})
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/cpp" "${CMAKE_SOURCE_DIR}")
  # What tests call was optimised where it was built; they themselves need half the time to compile with less.
  target_compile_options(${target} PRIVATE -O1)

  list(FIND FLOTT_FOLDERS "${arg_FOLDER}" rank)
  list(FIND FLOTT_FOLDERS runtime runtime_rank)
  set(harness "")
  if(TARGET flott_harness AND (arg_HARNESS OR rank GREATER_EQUAL runtime_rank))
    set(harness flott_harness)
  endif()
  if(arg_PLUGINS)
    list(TRANSFORM arg_PLUGINS PREPEND flott_ OUTPUT_VARIABLE plugins)
    target_link_libraries(${target} PRIVATE ${harness} ${plugins} flott)
  else()
    set(folders ${arg_FOLDER} ${arg_DEPS})
    if(harness)
      get_property(harness_deps GLOBAL PROPERTY FLOTT_DEPS_harness)
      list(APPEND folders ${harness_deps})
    endif()
    flott_closure(libraries ${folders})
    # The static libraries may call each other in any direction: let the linker look at them as one.
    list(JOIN libraries "," group)
    if(group)
      set(group "$<LINK_GROUP:RESCAN,${group}>")
    endif()
    target_link_libraries(${target} PRIVATE ${harness} ${group} flott_dependencies)
  endif()
  target_link_libraries(${target} PRIVATE ${arg_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)

  add_test(NAME ${target} COMMAND ${FLOTT_TEST_LAUNCHER} $<TARGET_FILE:${target}> --gtest_brief=1
           "--gtest_filter=$<IF:$<BOOL:${arg_FILTER}>,${arg_FILTER},*>")
  set_tests_properties(${target} PROPERTIES LABELS "${arg_FOLDER}" ENVIRONMENT "${FLOTT_TEST_ENVIRONMENT}")
  if(arg_TIMEOUT)
    set_tests_properties(${target} PROPERTIES TIMEOUT ${arg_TIMEOUT})
  endif()
endfunction()

# stream_harness(SRCS ... DEPS runtime operators): the library of tests/harness, linked by the tests above. Static,
# and linked to no engine library itself: a test brings either the static folders or libflott.so.
function(stream_harness)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "SRCS;DEPS;LIBS")
  flott_existing_sources(sources ${arg_SRCS})
  set_property(GLOBAL PROPERTY FLOTT_DEPS_harness "${arg_DEPS}")
  if(NOT sources)
    return()
  endif()
  add_library(flott_harness STATIC ${sources})
  target_include_directories(flott_harness PUBLIC "${CMAKE_SOURCE_DIR}/cpp" "${CMAKE_SOURCE_DIR}/tests" "${CMAKE_SOURCE_DIR}")
  target_link_libraries(flott_harness PUBLIC flott_dependencies ${arg_LIBS} GTest::gtest GTest::gmock)
endfunction()

# Each folder of tests/cpp that has a CMakeLists.txt: tests/cpp/<folder>, tests/cpp/connectors/<system>.
function(flott_add_tests)
  file(GLOB_RECURSE lists CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}" tests/cpp/CMakeLists.txt)
  foreach(list IN LISTS lists)
    get_filename_component(folder "${list}" DIRECTORY)
    flott_add_folder(${folder})
  endforeach()
endfunction()
