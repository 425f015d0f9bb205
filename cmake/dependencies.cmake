# Debian 12's packages. Library headers are SYSTEM headers: our warnings are for our code.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Protobuf REQUIRED)   # Debian ships no protobuf-config.cmake: the module, and before gRPC
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CURL REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(simdjson CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
pkg_check_modules(rdkafka REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(cjose REQUIRED IMPORTED_TARGET cjose)

# Header-only Asio/Beast with the settings every user of it must share (one definition rule):
# no deprecated executors, and no strands implied by any_io_executor on sockets of ours.
add_library(spillway_asio INTERFACE)
add_library(spillway::asio ALIAS spillway_asio)
target_link_libraries(spillway_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(spillway_asio INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_NO_TS_EXECUTORS BOOST_ALLOW_DEPRECATED_HEADERS)

add_library(spillway_grpc INTERFACE)
add_library(spillway::grpc ALIAS spillway_grpc)
target_link_libraries(spillway_grpc INTERFACE gRPC::grpc++ protobuf::libprotobuf)
