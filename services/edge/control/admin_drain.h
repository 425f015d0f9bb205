#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>

#include "absl/status/status.h"
#include "services/edge/control/admin_service.h"
#include "services/edge/control/node_drain.h"
#include "spillway/v1/admin.pb.h"

namespace spillway::edge {

// Drain and Undrain: calls about one node, which may be another one than the one that is called.
// Thread-safe. Owned by the service; what it is given outlives it.
class AdminDrain {
 public:
  using Done = std::function<void(const grpc::Status& status)>;

  explicit AdminDrain(const AdminParts& parts) : parts_(parts) {}

  // `response` lives until `done`, which is called once, maybe at once.
  void Drain(const v1::DrainRequest& request, v1::DrainResponse* response, Done done) const;
  void Undrain(const v1::UndrainRequest& request, v1::DrainResponse* response, Done done) const;

 private:
  template <typename Request>
  void Run(const Request& request, const char* method, v1::DrainResponse* response,
           bool (AdminDrain::*here)(const Request&) const, const Done& done) const;
  bool DrainHere(const v1::DrainRequest& request) const;
  bool UndrainHere(const v1::UndrainRequest& request) const;
  void Describe(v1::DrainResponse* response, Done done) const;

  const AdminParts& parts_;
};

absl::Status CheckDrain(const v1::DrainRequest& request);
// What a request asks for, where `configured` is what it leaves open.
NodeDrain::Times DrainTimes(const v1::DrainRequest& request, const NodeDrain::Times& configured);

}  // namespace spillway::edge
