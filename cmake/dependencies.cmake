# Third-party packages. Each is found here, once, and reached through one of three targets:
#   flott_dependencies  what the core and its headers use
#   PkgConfig::rdkafka, PkgConfig::lz4, PkgConfig::rocksdb, CURL::libcurl, SQLite::SQLite3   for the plugins that need them
#   GTest::gtest_main, benchmark::benchmark              for tests and benchmarks

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(date REQUIRED)        # time zones; with the zone database of the system
find_package(simdjson 3.0 REQUIRED)

# boost::unordered_flat_map appeared in 1.81. Headers only, so that no Boost library needs to be carried.
find_path(FLOTT_BOOST_INCLUDE boost/unordered/unordered_flat_map.hpp REQUIRED
          DOC "Folder of the headers of Boost >= 1.81 (Debian: libboost1.81-dev)")

add_library(flott_dependencies INTERFACE)
target_include_directories(flott_dependencies SYSTEM INTERFACE "${FLOTT_BOOST_INCLUDE}")
target_link_libraries(flott_dependencies INTERFACE
  fmt::fmt date::date date::date-tz simdjson::simdjson
  Threads::Threads ${CMAKE_DL_LIBS})

if(FLOTT_KAFKA)
  pkg_check_modules(rdkafka REQUIRED IMPORTED_TARGET rdkafka>=2.0)
  pkg_check_modules(lz4 REQUIRED IMPORTED_TARGET liblz4)
endif()
if(FLOTT_ELASTICSEARCH)
  find_package(CURL 7.80 REQUIRED)
endif()
if(FLOTT_ROCKSDB)
  pkg_check_modules(rocksdb REQUIRED IMPORTED_TARGET rocksdb>=7.0)
endif()
if(FLOTT_SQLITE)
  find_package(SQLite3 REQUIRED)
endif()
if(FLOTT_TESTS)
  find_package(GTest REQUIRED)
  find_package(nlohmann_json 3.11 REQUIRED) # the fake search server of the tests
endif()
if(FLOTT_BENCH)
  find_package(benchmark REQUIRED)
endif()

if(FLOTT_PYTHON)
  # The virtual environment that `make setup` makes wins over whatever python3 is first on the path.
  if(NOT DEFINED Python_EXECUTABLE AND EXISTS "${CMAKE_SOURCE_DIR}/.venv/bin/python")
    set(Python_EXECUTABLE "${CMAKE_SOURCE_DIR}/.venv/bin/python")
  endif()
  find_package(Python 3.10 COMPONENTS Interpreter Development.Module)
  if(Python_FOUND)
    execute_process(COMMAND "${Python_EXECUTABLE}" -m pybind11 --cmakedir
                    OUTPUT_VARIABLE _pybind11_dir OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    find_package(pybind11 2.13 CONFIG HINTS "${_pybind11_dir}")
  endif()
  if(Python_FOUND AND pybind11_FOUND)
    set(FLOTT_PYTHON ON)
  elseif(FLOTT_PYTHON STREQUAL "AUTO")
    message(STATUS "Python with headers and pybind11 not found: building without pyflink._native")
    set(FLOTT_PYTHON OFF)
  else()
    message(FATAL_ERROR "FLOTT_PYTHON=ON needs Python >= 3.10 with its headers and pybind11 >= 2.13; "
                        "`make setup` installs both, -DFLOTT_PYTHON=OFF builds the engine alone.")
  endif()
endif()
