#include "services/edge/control/node_calls.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>

#include "common/rpc/client.h"
#include "common/rpc/status.h"

namespace spillway::edge {
namespace {

grpc::ByteBuffer ToBuffer(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

bool Parse(const grpc::ByteBuffer& buffer, google::protobuf::Message* message) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Valid() || !buffer.Dump(&slices).ok()) return false;
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return message->ParseFromString(bytes);
}

}  // namespace

struct NodeCalls::Running {
  explicit Running(std::shared_ptr<grpc::Channel> on) : channel(std::move(on)), stub(channel) {}
  const std::shared_ptr<grpc::Channel> channel;
  grpc::GenericStub stub;
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
  google::protobuf::Message* answer = nullptr;
  Done done;
};

NodeCalls::NodeCalls(Options options, NewChannel new_channel)
    : options_(std::move(options)), new_channel_(std::move(new_channel)) {}

NodeCalls::~NodeCalls() { Stop(); }

absl::StatusOr<std::shared_ptr<grpc::Channel>> NodeCalls::ChannelTo(const std::string& address) {
  {
    MutexLock lock(mutex_);
    const auto found = channels_.find(address);
    if (found != channels_.end()) return found->second;
  }
  // Outside the lock: it may read files.
  auto made = new_channel_(address);
  if (!made.ok()) return made.status();
  MutexLock lock(mutex_);
  return channels_.try_emplace(address, *std::move(made)).first->second;
}

void NodeCalls::Call(const std::string& address, const char* method,
                     const google::protobuf::Message& request, google::protobuf::Message* response,
                     std::chrono::milliseconds timeout, Done done) {
  auto channel = ChannelTo(address);
  if (!channel.ok()) return done(rpc::ToGrpcStatus(channel.status()));
  auto* call = new Running(*std::move(channel));
  call->request = ToBuffer(request);
  call->answer = response;
  call->done = std::move(done);
  rpc::AddBearer(options_.bearer_token, &call->context);
  call->context.set_deadline(std::chrono::system_clock::now() + timeout);
  grpc::Status refused = grpc::Status::OK;
  {
    MutexLock lock(mutex_);
    if (stopped_) {
      refused = {grpc::StatusCode::UNAVAILABLE, "this node is shutting down: ask another"};
    } else if (running_.size() >= options_.max_calls) {
      refused = {grpc::StatusCode::RESOURCE_EXHAUSTED,
                 "this node has too many calls of others under way: try again later"};
    } else {
      running_.insert(call);
    }
  }
  if (!refused.ok()) {
    const std::unique_ptr<Running> owned(call);
    return owned->done(refused);
  }
  call->stub.UnaryCall(&call->context, method, grpc::StubOptions(), &call->request, &call->response,
                       [this, call](grpc::Status status) { Finish(call, status); });
}

void NodeCalls::Finish(Running* call, const grpc::Status& status) {
  {
    // gRPC orders this after Call(), which a race detector cannot see in a library that it did not
    // build: so the call is handed over by a lock of ours.
    MutexLock lock(mutex_);
  }
  grpc::Status outcome = status;
  if (outcome.ok() && !Parse(call->response, call->answer)) {
    outcome = {grpc::StatusCode::INTERNAL, "the answer cannot be parsed: another version?"};
  }
  call->done(outcome);
  MutexLock lock(mutex_);  // Stop() looks at what is in running_
  running_.erase(call);
  // The channel does not end here: channels_ holds it, too, as long as something is running.
  delete call;
  if (running_.empty()) idle_.NotifyAll();
}

void NodeCalls::Forget(const std::vector<std::string>& addresses_in_use) {
  std::vector<std::shared_ptr<grpc::Channel>> ended;  // after the lock
  MutexLock lock(mutex_);
  if (!running_.empty()) return;  // a call might hold the last reference
  for (auto channel = channels_.begin(); channel != channels_.end();) {
    if (std::find(addresses_in_use.begin(), addresses_in_use.end(), channel->first) !=
        addresses_in_use.end()) {
      ++channel;
      continue;
    }
    ended.push_back(std::move(channel->second));
    channel = channels_.erase(channel);
  }
}

void NodeCalls::Stop() {
  std::map<std::string, std::shared_ptr<grpc::Channel>> ended;
  MutexLock lock(mutex_);
  stopped_ = true;
  for (Running* call : running_) call->context.TryCancel();
  while (!running_.empty()) idle_.Wait(mutex_);
  ended.swap(channels_);
}

}  // namespace spillway::edge
