#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/http/http_types.h"

namespace spillway::edge::net {

// Reads one HTTP/1.0 or 1.1 request (Beast's parser, which knows what smuggling looks like) into
// the form that handlers take. Incremental, without sockets. Belongs to one connection.
class RequestParser {
 public:
  struct Limits {
    size_t header_bytes;
    size_t body_bytes;
  };
  enum class Result {
    kMore,         // all that was consumed is taken in; more has to come
    kDone,         // request() is whole
    kBadTarget,    // not a path
    kHeaderLimit,  // the header is too large
    kBodyLimit,    // the body is too large
    kBad,          // not HTTP
  };

  explicit RequestParser(const Limits& limits);
  ~RequestParser();

  // Takes bytes of `data`; `consumed` says how many. What was not consumed has to be given again,
  // with what follows it. After anything but kMore the parser is done with.
  Result Feed(const char* data, size_t size, size_t* consumed);

  // Without remote_ip, which is not in it.
  http::Request& request();
  bool http11() const;
  // Whether another request may follow on the connection.
  bool keep_alive() const;

 private:
  class Beast;
  std::unique_ptr<Beast> beast_;
};

}  // namespace spillway::edge::net
