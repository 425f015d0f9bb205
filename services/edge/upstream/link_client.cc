#include "services/edge/upstream/link_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/client.h"

namespace spillway::edge {
namespace {

constexpr char kMethod[] = "/spillway.v1.LinkService/Link";

std::string Contiguous(const grpc::ByteBuffer& buffer) {
  std::string bytes;
  grpc::Slice single;
  if (buffer.TrySingleSlice(&single).ok()) {
    bytes.assign(reinterpret_cast<const char*>(single.begin()), single.size());
    return bytes;
  }
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace

LinkClient::LinkClient(LinkId id, std::shared_ptr<grpc::Channel> channel, size_t max_waiting_bytes,
                       LinkClientEvents& events)
    : id_(id),
      channel_(std::move(channel)),
      max_waiting_bytes_(max_waiting_bytes),
      events_(events) {}

LinkClient::~LinkClient() = default;

void LinkClient::Start(const std::string& token) {
  rpc::AddBearer(token, &context_);
  // Requests typed, responses as bytes: batches are parsed in place by the link thread.
  grpc::TemplatedGenericStub<v1::LinkRequest, grpc::ByteBuffer> stub(channel_);
  stub.PrepareBidiStreamingCall(&context_, kMethod, grpc::StubOptions(), this);
  // For the writes and reads that the link thread starts; taken back in Close(), by the same
  // thread, so that none of them can come too late.
  AddHold();
  { MutexLock lock(mutex_); }  // see OnDone
  StartRead(&response_);
  StartCall();
}

void LinkClient::Send(v1::LinkRequest request) {
  if (closed_) return;
  {
    MutexLock lock(mutex_);
    if (writing_) {
      requests_.push_back(std::move(request));
      return;
    }
    writing_ = true;
  }
  request_ = std::move(request);
  StartWrite(&request_);
}

void LinkClient::OnWriteDone(bool ok) {
  {
    MutexLock lock(mutex_);
    if (!ok) return;  // the stream is broken: the read says so, too
    if (requests_.empty()) {
      writing_ = false;
      return;
    }
    request_ = std::move(requests_.front());
    requests_.pop_front();
  }
  StartWrite(&request_);
}

void LinkClient::OnReadDone(bool ok) {
  { MutexLock lock(mutex_); }  // see OnDone
  if (!ok) {
    events_.OnLinkBroken(id_);
    return;
  }
  std::string message = Contiguous(response_);
  response_.Clear();
  const size_t bytes = message.size();
  {
    MutexLock lock(mutex_);
    waiting_bytes_ += bytes;
  }
  events_.OnLinkMessage(id_, std::move(message));
  {
    MutexLock lock(mutex_);
    if (waiting_bytes_ > max_waiting_bytes_) {
      paused_ = true;  // OnTaken goes on
      return;
    }
  }
  StartRead(&response_);
}

void LinkClient::OnTaken(size_t bytes) {
  {
    MutexLock lock(mutex_);
    waiting_bytes_ -= bytes;
    if (!paused_ || closed_ || waiting_bytes_ > max_waiting_bytes_) return;
    paused_ = false;
  }
  StartRead(&response_);
}

void LinkClient::Close(bool cancel) {
  if (closed_) return;
  closed_ = true;
  if (cancel) context_.TryCancel();
  RemoveHold();
}

void LinkClient::OnDone(const grpc::Status& status) {
  // gRPC orders this after what the link thread did; the lock shows it to ThreadSanitizer, which
  // does not see into the library.
  { MutexLock lock(mutex_); }
  const bool denied = status.error_code() == grpc::StatusCode::UNAUTHENTICATED ||
                      status.error_code() == grpc::StatusCode::PERMISSION_DENIED;
  std::string error = "the ingest ended the stream";
  if (!status.ok()) {
    error =
        absl::StrCat(denied ? "link_denied: " : "", status.error_message(), " (gRPC code ",
                     static_cast<int>(status.error_code()), ")",
                     denied ? "; this edge shows edge.ingests.bearer_token, token_file, tls" : "");
  }
  events_.OnLinkDone(id_, std::move(error), denied);
}

}  // namespace spillway::edge
