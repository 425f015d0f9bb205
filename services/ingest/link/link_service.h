#pragma once

#include "services/ingest/link/link_hub.h"
#include "spillway/v1/link.grpc.pb.h"

namespace spillway::ingest {

// The gRPC face of the links. Raw bytes both ways: a batch is serialised by the shard, once, and
// must not be touched again. Stateless; the hub outlives the server that serves this.
class LinkService final
    : public v1::LinkService::WithRawCallbackMethod_Link<v1::LinkService::Service> {
 public:
  explicit LinkService(LinkHub& hub) : hub_(hub) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Link(
      grpc::CallbackServerContext* context) override {
    return hub_.Accept(context);
  }

 private:
  LinkHub& hub_;
};

}  // namespace spillway::ingest
