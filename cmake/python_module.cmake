# The extension module pyflink._native and the two ways to import it out of a build folder.

# stream_python_module(SRCS a.cc b.cc ...), called once, by cpp/bindings/CMakeLists.txt.
function(stream_python_module)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "SRCS;LIBS")
  flott_existing_sources(sources ${arg_SRCS})
  if(NOT sources)
    return()
  endif()
  # NO_EXTRAS: no link-time optimisation, it costs half a minute a link and gains nothing in glue code.
  pybind11_add_module(_native MODULE NO_EXTRAS ${sources})
  target_link_libraries(_native PRIVATE flott ${arg_LIBS})
  target_compile_definitions(_native PRIVATE FLOTT_VERSION="${PROJECT_VERSION}")
  install(TARGETS _native LIBRARY DESTINATION pyflink COMPONENT python)
endfunction()

# python_inplace  links the libraries of this build folder into python/pyflink (ignored by git), where `make setup`
#                 lets the virtual environment look.
# python_site     makes <build>/site/pyflink, a folder of links to python/pyflink and to these libraries, for
#                 PYTHONPATH=<build>/site: several build folders side by side.
function(flott_add_python_targets)
  if(NOT TARGET _native)
    return()
  endif()
  get_property(plugins GLOBAL PROPERTY FLOTT_PLUGINS)
  set(libraries _native flott ${plugins})
  foreach(kind inplace site)
    add_custom_target(python_${kind}
      COMMAND "${CMAKE_COMMAND}" "-DKIND=${kind}" "-DSOURCE=${CMAKE_SOURCE_DIR}/python/pyflink"
              "-DLIB=${CMAKE_LIBRARY_OUTPUT_DIRECTORY}" "-DSITE=${CMAKE_BINARY_DIR}/site/pyflink"
              -P "${CMAKE_SOURCE_DIR}/cmake/link_python.cmake"
      COMMENT "Linking the libraries for Python (${kind})" VERBATIM)
    add_dependencies(python_${kind} ${libraries})
  endforeach()
endfunction()
