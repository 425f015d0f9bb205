#include "common/gateway/gateway_calls.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/correlation_id.h"
#include "common/http/json_error.h"
#include "common/rpc/correlation.h"

namespace spillway::gateway {
namespace {

using google::protobuf::Message;
using google::protobuf::MessageFactory;

struct CodeName {
  const char* name;
  int http;
};

// google.rpc.Code with the status that it maps to there.
constexpr std::array<CodeName, 17> kCodes = {{{"ok", 200},
                                              {"cancelled", 499},
                                              {"unknown", 500},
                                              {"invalid_argument", 400},
                                              {"deadline_exceeded", 504},
                                              {"not_found", 404},
                                              {"already_exists", 409},
                                              {"permission_denied", 403},
                                              {"resource_exhausted", 429},
                                              {"failed_precondition", 400},
                                              {"aborted", 409},
                                              {"out_of_range", 400},
                                              {"unimplemented", 501},
                                              {"internal", 500},
                                              {"unavailable", 503},
                                              {"data_loss", 500},
                                              {"unauthenticated", 401}}};

std::unique_ptr<Message> NewMessage(const google::protobuf::Descriptor& type) {
  return std::unique_ptr<Message>(MessageFactory::generated_factory()->GetPrototype(&type)->New());
}

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

grpc::ByteBuffer BufferOf(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

class CorrelatedExchange final : public http::Exchange {
 public:
  CorrelatedExchange(std::shared_ptr<http::Exchange> exchange, std::string id)
      : exchange_(std::move(exchange)), id_(std::move(id)) {}

  void Respond(http::Response response) override {
    exchange_->Respond(WithId(std::move(response)));
  }
  void Begin(http::Response head) override { exchange_->Begin(WithId(std::move(head))); }
  void Write(std::string piece, std::function<void()> written) override {
    exchange_->Write(std::move(piece), std::move(written));
  }
  void End() override { exchange_->End(); }
  void OnGone(std::function<void()> gone) override { exchange_->OnGone(std::move(gone)); }

 private:
  http::Response WithId(http::Response response) const {
    response.headers.emplace_back(kCorrelationHeader, id_);
    return response;
  }

  const std::shared_ptr<http::Exchange> exchange_;
  const std::string id_;
};

// What a call needs while it runs; gRPC's threads and the HTTP server's take turns with it. gRPC
// orders their turns, which a race detector cannot see in a library that it did not build: so they
// hand over by a lock of ours.
class Call {
 public:
  Call(CallSetup setup, std::shared_ptr<http::Exchange> exchange, RunningCalls& calls)
      : setup_(std::move(setup)), exchange_(std::move(exchange)), calls_(calls) {
    rpc::AddCorrelationId(setup_.correlation_id, &context_);
    for (const auto& [name, value] : setup_.metadata) context_.AddMetadata(name, value);
  }

 protected:
  void Handoff() { MutexLock lock(handoff_); }
  const google::protobuf::Descriptor& output() const { return *setup_.method->output_type(); }

  const CallSetup setup_;
  const std::shared_ptr<http::Exchange> exchange_;
  RunningCalls& calls_;
  grpc::ClientContext context_;

 private:
  Mutex handoff_;
};

class UnaryCall final : public Call, public std::enable_shared_from_this<UnaryCall> {
 public:
  using Call::Call;

  void Start() {
    if (!calls_.Begin(this, [self = shared_from_this()] { self->context_.TryCancel(); })) {
      exchange_->Respond(ErrorResponse({grpc::StatusCode::UNAVAILABLE, "the node is stopping"}));
      return;
    }
    exchange_->OnGone([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->context_.TryCancel();
    });
    context_.set_deadline(std::chrono::system_clock::now() + setup_.timeout);
    request_ = BufferOf(setup_.request);
    self_ = shared_from_this();
    Handoff();
    setup_.stub->UnaryCall(&context_, setup_.path, {}, &request_, &response_,
                           [this](const grpc::Status& status) { Done(status); });
  }

 private:
  void Done(const grpc::Status& status) {
    Handoff();
    const std::shared_ptr<UnaryCall> self = std::move(self_);
    if (!status.ok()) {
      exchange_->Respond(ErrorResponse(status));
    } else if (auto json = ToJson(output(), BytesOf(response_)); json.ok()) {
      exchange_->Respond(http::Json(200, *std::move(json)));
    } else {
      exchange_->Respond(
          ErrorResponse({grpc::StatusCode::INTERNAL, std::string(json.status().message())}));
    }
    calls_.End(this);
  }

  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
  std::shared_ptr<UnaryCall> self_;  // until it is done
};

// Reads one response at a time: the next one is asked for when the client has taken the last.
class StreamingCall final : public Call,
                            public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                            public std::enable_shared_from_this<StreamingCall> {
 public:
  StreamingCall(CallSetup setup, std::shared_ptr<http::Exchange> exchange, RunningCalls& calls,
                std::function<void()> ended)
      : Call(std::move(setup), std::move(exchange), calls), ended_(std::move(ended)) {}

  void Start() {
    if (!calls_.Begin(this, [self = shared_from_this()] { self->Cancel(); })) {
      exchange_->Respond(ErrorResponse({grpc::StatusCode::UNAVAILABLE, "the node is stopping"}));
      ended_();
      return;
    }
    exchange_->OnGone([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Cancel();
    });
    request_ = BufferOf(setup_.request);
    setup_.stub->PrepareBidiStreamingCall(&context_, setup_.path, {}, this);
    // The reads that follow begin on another thread than gRPC's, so the call is held until the
    // last.
    AddHold();
    StartWriteLast(&request_, grpc::WriteOptions());
    StartRead(&response_);
    Handoff();
    StartCall();
  }

  void OnReadDone(bool ok) override {
    Handoff();
    bool goes_on = false;
    {
      MutexLock lock(mutex_);
      goes_on = writing_ = ok && !cancelled_;
    }
    if (!goes_on) {
      RemoveHold();
      return;
    }
    if (!std::exchange(begun_, true)) {
      http::Response head;
      head.content_type = "application/x-ndjson";
      exchange_->Begin(std::move(head));
    }
    auto json = ToJson(output(), BytesOf(response_));
    response_.Clear();
    exchange_->Write(json.ok() ? absl::StrCat(*json, "\n") : "\n",
                     [self = shared_from_this()] { self->OnWritten(); });
  }

  void OnDone(const grpc::Status& status) override {
    Handoff();
    if (!begun_) {
      exchange_->Respond(status.ok() ? http::Json(200, "") : ErrorResponse(status));
    } else {
      if (!status.ok()) exchange_->Write(absl::StrCat(ErrorResponse(status).body, "\n"), [] {});
      exchange_->End();
    }
    ended_();
    calls_.End(this);  // the call goes with it
  }

 private:
  void OnWritten() {
    Handoff();
    MutexLock lock(mutex_);
    if (cancelled_) return;
    writing_ = false;
    StartRead(&response_);
  }

  // Nobody waits for more: what is being written may never be. Whoever calls holds the call.
  void Cancel() {
    bool held = false;
    {
      MutexLock lock(mutex_);
      if (std::exchange(cancelled_, true)) return;
      held = std::exchange(writing_, false);
    }
    context_.TryCancel();
    if (held) RemoveHold();
  }

  const std::function<void()> ended_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
  bool begun_ = false;  // gRPC's threads only, one after the other
  Mutex mutex_;
  bool cancelled_ SPILLWAY_GUARDED_BY(mutex_) = false;
  bool writing_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::shared_ptr<http::Exchange> Correlated(std::shared_ptr<http::Exchange> exchange,
                                           std::string correlation_id) {
  return std::make_shared<CorrelatedExchange>(std::move(exchange), std::move(correlation_id));
}

absl::StatusOr<std::string> FromJson(const google::protobuf::Descriptor& type,
                                     const std::string& json) {
  const std::unique_ptr<Message> message = NewMessage(type);
  const auto status = google::protobuf::util::JsonStringToMessage(
      json.find_first_not_of(" \t\r\n") == std::string::npos ? "{}" : json, message.get());
  if (!status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the body is not a ", type.full_name(),
                                                   " as JSON: ", status.message().ToString()));
  }
  return message->SerializeAsString();
}

absl::StatusOr<std::string> ToJson(const google::protobuf::Descriptor& type,
                                   const std::string& message) {
  const std::unique_ptr<Message> parsed = NewMessage(type);
  if (!parsed->ParseFromString(message)) {
    return absl::InternalError(absl::StrCat("the answer is no ", type.full_name()));
  }
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;  // a count of 0 is an answer
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(*parsed, &json, options);
  if (!status.ok()) return absl::InternalError(status.message().ToString());
  return json;
}

http::Response ErrorResponse(const grpc::Status& status) {
  const auto code = static_cast<size_t>(status.error_code());
  const CodeName& name = kCodes[code < kCodes.size() ? code : 2];
  return http::JsonError(name.http, name.name, status.error_message());
}

bool RunningCalls::Begin(const void* call, std::function<void()> cancel) {
  MutexLock lock(mutex_);
  if (shut_) return false;
  running_.emplace(call, std::move(cancel));
  return true;
}

void RunningCalls::End(const void* call) {
  std::function<void()> last;  // goes without the lock: the call may go with it
  MutexLock lock(mutex_);
  const auto found = running_.find(call);
  if (found == running_.end()) return;
  last = std::move(found->second);
  running_.erase(found);
  if (running_.empty()) ended_.NotifyAll();
}

void RunningCalls::Shutdown() {
  std::map<const void*, std::function<void()>> running;
  {
    MutexLock lock(mutex_);
    shut_ = true;
    running = running_;
  }
  for (const auto& [call, cancel] : running) cancel();  // may end it on this thread
  MutexLock lock(mutex_);
  while (!running_.empty()) ended_.Wait(mutex_);
}

void CallUnary(CallSetup setup, std::shared_ptr<http::Exchange> exchange, RunningCalls& calls) {
  std::make_shared<UnaryCall>(std::move(setup), std::move(exchange), calls)->Start();
}

void CallStreaming(CallSetup setup, std::shared_ptr<http::Exchange> exchange, RunningCalls& calls,
                   std::function<void()> ended) {
  std::make_shared<StreamingCall>(std::move(setup), std::move(exchange), calls, std::move(ended))
      ->Start();
}

}  // namespace spillway::gateway
