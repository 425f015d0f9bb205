#include "services/edge/upstream/read_client.h"

#include <grpcpp/channel.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/client.h"

namespace spillway::edge {

ReadClient::ReadClient(uint64_t call, LinkId link, const std::shared_ptr<grpc::Channel>& channel,
                       std::chrono::milliseconds timeout, const std::string& token,
                       ReadClientEvents& events)
    : call_(call), link_(link), events_(events), stub_(v1::ReadService::NewStub(channel)) {
  rpc::AddBearer(token, &context_);
  context_.set_deadline(std::chrono::system_clock::now() + timeout);
}

ReadClient::~ReadClient() = default;

void ReadClient::Start(v1::SnapshotRequest request) {
  snapshot_ = std::move(request);
  stub_->async()->Snapshot(&context_, &snapshot_, this);
  Begin();
}

void ReadClient::Start(v1::HistoryRequest request) {
  history_ = std::move(request);
  stub_->async()->History(&context_, &history_, this);
  Begin();
}

void ReadClient::Begin() {
  response_ = std::make_unique<v1::ReadResponse>();
  StartRead(response_.get());
  StartCall();
}

void ReadClient::OnReadDone(bool ok) {
  if (!ok) return;  // the end, or the error that OnDone tells
  events_.OnReadMessage(call_, std::exchange(response_, std::make_unique<v1::ReadResponse>()));
  StartRead(response_.get());
}

void ReadClient::OnDone(const grpc::Status& status) {
  events_.OnReadDone(call_, status.ok() ? std::string()
                                        : absl::StrCat(status.error_message(), " (gRPC code ",
                                                       static_cast<int>(status.error_code()), ")"));
}

}  // namespace spillway::edge
