#pragma once

#include "services/ingest/control/control_store.h"
#include "spillway/v1/control_service.grpc.pb.h"

namespace spillway::ingest {

// How edges write blocks and revocations to Kafka. Every refusal has a stable code
// (docs/errors.md) at the head of the status message. Thread-safe. The app owns it and ends the
// server before it.
class ControlService final : public v1::ControlService::CallbackService {
 public:
  // `store` is null when there is no control topic.
  explicit ControlService(ControlStore* store) : store_(store) {}

  grpc::ServerUnaryReactor* Write(grpc::CallbackServerContext* context,
                                  const v1::WriteControlRequest* request,
                                  v1::WriteControlResponse* response) override;

 private:
  ControlStore* const store_;
};

}  // namespace spillway::ingest
