#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "spillway/v1/link.grpc.pb.h"

namespace spillway::ingest {

// An edge played by a test over gRPC's blocking interface: one thread, deadlines on everything.
class LinkPeer {
 public:
  struct Silent {};
  // Opens the stream and says nothing.
  LinkPeer(const std::string& address, Silent)
      : stub_(v1::LinkService::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    stream_ = stub_->Link(&context_);
  }
  explicit LinkPeer(const std::string& address, int64_t credit = 1 << 30)
      : LinkPeer(address, Silent()) {
    v1::LinkRequest request;
    request.mutable_hello()->set_node_id("peer");
    request.mutable_hello()->set_protocol(1);
    request.mutable_hello()->set_credit_bytes(credit);
    Send(request);
  }
  ~LinkPeer() {
    context_.TryCancel();
    if (!finished_) stream_->Finish();
  }

  bool Send(const v1::LinkRequest& request) { return stream_->Write(request); }
  void Want(uint64_t sequence, const std::vector<std::string>& channels, bool full) {
    v1::LinkRequest request;
    request.mutable_interest()->set_sequence(sequence);
    request.mutable_interest()->set_full(full);
    for (const std::string& channel : channels) request.mutable_interest()->add_add(channel);
    Send(request);
  }
  void AttachAfter(uint32_t slot, uint64_t attach_id, int64_t after) {
    v1::LinkRequest request;
    request.mutable_attach()->set_slot(slot);
    request.mutable_attach()->set_attach_id(attach_id);
    request.mutable_attach()->set_after(after);
    Send(request);
  }
  void AttachEnd(uint32_t slot, uint64_t attach_id) {
    v1::LinkRequest request;
    request.mutable_attach()->set_slot(slot);
    request.mutable_attach()->set_attach_id(attach_id);
    request.mutable_attach()->set_end(true);
    Send(request);
  }

  // Reads until `wanted` says yes; false if the stream ended first. Batches that came in parts are
  // put together, and every batch is kept.
  bool ReadUntil(const std::function<bool(const v1::LinkResponse&)>& wanted) {
    v1::LinkResponse response;
    while (stream_->Read(&response)) {
      if (response.has_batch_part()) {
        ++parts;
        assembled_ += response.batch_part().data();
        if (!response.batch_part().last()) continue;
        v1::LinkResponse whole;
        whole.mutable_batch()->ParseFromString(assembled_);
        assembled_.clear();
        response = whole;
      }
      if (response.has_batch()) batches.push_back(response.batch());
      if (response.has_catalogue()) catalogue = response.catalogue();
      if (wanted(response)) return true;
    }
    return false;
  }
  // Waits until the catalogue has `topics` topics.
  bool ReadCatalogue(int topics) {
    return ReadUntil([&](const v1::LinkResponse& response) {
      return response.has_catalogue() && response.catalogue().topics_size() >= topics;
    });
  }
  // Waits for `count` events in all.
  bool ReadEvents(size_t count) {
    while (events().size() < count) {
      if (!ReadUntil([](const v1::LinkResponse& response) { return response.has_batch(); })) {
        return false;
      }
    }
    return true;
  }
  std::vector<v1::Event> events() const {
    std::vector<v1::Event> all;
    for (const v1::Batch& batch : batches) {
      all.insert(all.end(), batch.events().begin(), batch.events().end());
    }
    return all;
  }
  // The status with which the ingest ended the link.
  grpc::Status Status() {
    v1::LinkResponse response;
    while (stream_->Read(&response)) {
    }
    finished_ = true;
    return stream_->Finish();
  }

  std::vector<v1::Batch> batches;
  v1::Catalogue catalogue;
  int parts = 0;

 private:
  std::unique_ptr<v1::LinkService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::LinkRequest, v1::LinkResponse>> stream_;
  std::string assembled_;
  bool finished_ = false;
};

}  // namespace spillway::ingest
