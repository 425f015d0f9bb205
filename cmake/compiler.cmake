# Compiler settings shared by every target: the INTERFACE target spillway::options carries them.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# "Dev" builds fast and keeps assertions; -g1 gives line numbers in stack traces at a fraction of -g's cost.
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1")
set(CMAKE_C_FLAGS_DEV "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -g1 -DNDEBUG")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # base_dir makes a hit possible from another checkout of the same sources.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

add_library(spillway_options INTERFACE)
add_library(spillway::options ALIAS spillway_options)
target_include_directories(spillway_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(spillway_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Werror -fno-omit-frame-pointer
  # From -O2 on GCC 12 sees overlaps in std::string (GCC bug 105651) and uninitialised std::optional that are none.
  $<$<CONFIG:Release>:-Wno-restrict> $<$<CONFIG:Release>:-Wno-maybe-uninitialized>)

if(SPILLWAY_SANITIZE)
  list(JOIN SPILLWAY_SANITIZE "," _sanitizers)
  add_compile_options(-fsanitize=${_sanitizers} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${_sanitizers})
  if("undefined" IN_LIST SPILLWAY_SANITIZE)
    # Its check of an object's type asks a pipe whether the memory can be read, and calls every object bad where
    # there is no descriptor left, which a test brings about.
    add_compile_options(-fno-sanitize=vptr)
  endif()
  # GCC 12 reports false -Wmaybe-uninitialized and -Wrestrict findings in instrumented library headers.
  target_compile_options(spillway_options INTERFACE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  if("thread" IN_LIST SPILLWAY_SANITIZE)
    # Fences are invisible to ThreadSanitizer; Asio and gRPC headers use them.
    target_compile_options(spillway_options INTERFACE -Wno-tsan)
    # Protobuf's and Abseil's headers change the layout of their classes under the sanitizer; Debian's
    # libraries were built without it, so the headers must believe the same.
    add_compile_options(-U__SANITIZE_THREAD__)
  endif()
endif()

if(SPILLWAY_FUZZ)
  # Coverage for libFuzzer in all of our code; only the fuzz targets get its main().
  add_compile_options(-fsanitize=fuzzer-no-link)
  # What is worth a warning the other presets say, by the compiler that is shipped with.
  target_compile_options(spillway_options INTERFACE -w)
endif()

# spillway_library(NAME SOURCES ... [DEPS ...]): a static library of the folder it is called in.
# Headers are included by their path from the repository's root.
function(spillway_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC spillway::options ${arg_DEPS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE spillway::options ${arg_DEPS})
  endif()
endfunction()

# Adds every folder below the given ones that has a CMakeLists.txt, so that a new module is only a new
# folder. The order does not matter: CMake resolves targets when it generates.
function(spillway_add_subdirectories)
  foreach(root IN LISTS ARGN)
    file(GLOB_RECURSE lists CONFIGURE_DEPENDS
      RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/${root}/CMakeLists.txt)
    list(SORT lists)
    foreach(list IN LISTS lists)
      get_filename_component(dir ${list} DIRECTORY)
      add_subdirectory(${dir})
    endforeach()
  endforeach()
endfunction()
