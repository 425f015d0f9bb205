#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/gateway/alias.h"
#include "common/http/routes.h"
#include "common/rpc/access.h"

namespace grpc {
class Channel;
}

namespace spillway::gateway {

// gRPC services as HTTP/JSON, by their descriptors alone: POST /<service>/<Method> with the request
// as JSON (https://protobuf.dev/programming-guides/json) answers with the response as JSON; of a
// method that streams responses, one JSON document a line until the call ends or the client goes.
// Methods that stream requests are not served. GET /openapi.json describes all of it (OpenAPI 3.0).
//
// Aliases are other paths for the same methods: placeholders of the path and query parameters fill
// fields of the request, beside the body.
//
// Errors are {"error":{"code","message"}}, the code being gRPC's in lower case
// ("invalid_argument"), with the HTTP status of google.rpc.Code. A request must say "content-type:
// application/json", so that a page of another origin cannot make a browser send one (it would have
// to ask first, and nothing here permits it).
//
// Every answer has a correlation id, which the call has, too (common/base/correlation_id.h).
//
// Calls go over an in-process channel to the very server that serves gRPC, which asks nobody who
// comes that way: the gateway does, by the same Access and the request's Authorization header, and
// tells the handlers who it was and from where.
class Gateway {
 public:
  struct Options {
    std::string title;                          // of the OpenAPI document
    std::string version;                        // of the program
    std::vector<std::string> services;          // full names
    std::shared_ptr<const rpc::Access> access;  // null: every call may pass
    std::chrono::milliseconds timeout{30'000};  // of a call that does not stream
    size_t max_streams = 16;                    // further ones are refused: resource_exhausted
    // Further paths, of methods of the first service; checked by CheckAliases().
    std::vector<Alias> aliases = {};
    std::map<std::string, http::Handler> pages = {};  // by path, for aliases that name one
  };

  explicit Gateway(Options options);
  // Shutdown()
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // Adds the paths. Before the HTTP server starts; the gateway must outlive it.
  void AddTo(http::Routes* routes);
  // From now on calls are made; before, they are answered "unavailable". Any thread.
  void Open(std::shared_ptr<grpc::Channel> channel);
  // Makes no more calls, cancels those that run, and returns when they have ended. Before the
  // server that serves them shuts down. Not on gRPC's threads, nor on the HTTP server's.
  // Idempotent.
  void Shutdown();

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::gateway
