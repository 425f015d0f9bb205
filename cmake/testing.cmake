# spillway_test(NAME LABEL unit|integration|style SOURCES ... [DEPS ...]): a GoogleTest binary, its cases
# found by ctest when it runs (not at build time, so that a cross or sanitizer build stays possible).
find_package(GTest REQUIRED)
include(GoogleTest)

function(spillway_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE spillway::options ${arg_DEPS}
    GTest::gmock GTest::gtest GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
endfunction()
