#include "services/edge/control/node_calls.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/rpc/access.h"
#include "common/rpc/client.h"
#include "common/rpc/correlation.h"
#include "common/rpc/status.h"

namespace spillway::edge {
namespace {

// In the details of a status. No other node's: Finish() takes theirs away.
constexpr char kNotSent[] = "not-sent";

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
                     std::chrono::milliseconds timeout, Done done, const std::string& actor,
                     const std::string& correlation_id) {
  auto channel = ChannelTo(address);
  if (!channel.ok()) {
    const grpc::Status status = rpc::ToGrpcStatus(channel.status());
    return done({status.error_code(), status.error_message(), kNotSent});
  }
  auto* call = new Running(*std::move(channel));
  call->request = ToBuffer(request);
  call->answer = response;
  call->done = std::move(done);
  if (options_.token != nullptr) {
    rpc::AddBearer(options_.token_kept_fresh ? options_.token->Current() : options_.token->Get(),
                   &call->context);
  }
  rpc::Access::AddBehalf(actor, &call->context);
  rpc::AddCorrelationId(correlation_id, &call->context);
  call->context.set_deadline(std::chrono::system_clock::now() + timeout);
  grpc::Status refused = grpc::Status::OK;
  {
    MutexLock lock(mutex_);
    if (stopped_) {
      refused = {grpc::StatusCode::UNAVAILABLE, "this node is shutting down: ask another",
                 kNotSent};
    } else if (running_.size() >= options_.max_calls) {
      refused = {grpc::StatusCode::RESOURCE_EXHAUSTED,
                 "this node has too many calls of others under way: try again later", kNotSent};
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
    // build: so the call is handed over by a lock of ours. It is over: what `done` calls next has
    // its room. Stop() waits for `done` all the same.
    MutexLock lock(mutex_);
    running_.erase(call);
    ++answering_;
  }
  grpc::Status outcome = status;
  if (WasNotSent(outcome)) outcome = {status.error_code(), status.error_message()};
  if (outcome.ok() && !Parse(call->response, call->answer)) {
    outcome = {grpc::StatusCode::INTERNAL, "the answer cannot be parsed: another version?"};
  }
  call->done(outcome);
  MutexLock lock(mutex_);
  // The channel does not end here: channels_ or retired_ holds it, too.
  delete call;
  --answering_;
  if (running_.empty() && answering_ == 0) idle_.NotifyAll();
}

bool NodeCalls::WasNotSent(const grpc::Status& status) {
  return !status.ok() && status.error_details() == kNotSent;
}

void NodeCalls::Forget(const std::vector<std::string>& addresses_in_use) {
  std::vector<std::shared_ptr<grpc::Channel>> ended;  // after the lock
  MutexLock lock(mutex_);
  for (auto channel = channels_.begin(); channel != channels_.end();) {
    if (std::find(addresses_in_use.begin(), addresses_in_use.end(), channel->first) !=
        addresses_in_use.end()) {
      ++channel;
      continue;
    }
    retired_.push_back(std::move(channel->second));
    channel = channels_.erase(channel);
  }
  // Nobody else has one of which this is the only reference, nor can anybody get it.
  const auto idle = std::partition(retired_.begin(), retired_.end(),
                                   [](const auto& channel) { return channel.use_count() > 1; });
  ended.assign(std::make_move_iterator(idle), std::make_move_iterator(retired_.end()));
  retired_.erase(idle, retired_.end());
}

void NodeCalls::Warm(const std::vector<std::string>& addresses) {
  for (const std::string& address : addresses) {
    const auto channel = ChannelTo(address);
    if (channel.ok()) (*channel)->GetState(/*try_to_connect=*/true);
  }
}

bool NodeCalls::Renew() {
  std::vector<std::string> addresses;
  {
    MutexLock lock(mutex_);
    for (const auto& [address, channel] : channels_) addresses.push_back(address);
  }
  bool all = true;
  for (const std::string& address : addresses) {
    auto made = new_channel_(address);  // outside the lock: it may read files
    if (!made.ok()) {
      all = false;
      continue;
    }
    (*made)->GetState(/*try_to_connect=*/true);
    MutexLock lock(mutex_);
    std::shared_ptr<grpc::Channel>& channel = channels_[address];
    if (channel != nullptr) retired_.push_back(std::move(channel));
    channel = *std::move(made);
  }
  return all;
}

std::vector<std::string> NodeCalls::Connected(const std::vector<std::string>& addresses) {
  std::vector<std::string> connected;
  MutexLock lock(mutex_);
  for (const std::string& address : addresses) {
    if (channels_.contains(address)) connected.push_back(address);
  }
  return connected;
}

void NodeCalls::Stop() {
  std::map<std::string, std::shared_ptr<grpc::Channel>> ended;
  std::vector<std::shared_ptr<grpc::Channel>> retired;
  MutexLock lock(mutex_);
  stopped_ = true;
  for (Running* call : running_) call->context.TryCancel();
  while (!running_.empty() || answering_ > 0) idle_.Wait(mutex_);
  ended.swap(channels_);
  retired.swap(retired_);
}

}  // namespace spillway::edge
