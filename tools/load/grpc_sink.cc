#include "tools/load/grpc_sink.h"

#include <grpcpp/grpcpp.h>

#include <cstdio>

#include "common/rpc/client.h"
#include "spillway/v1/publish.grpc.pb.h"
#include "tools/load/load_clock.h"

namespace spillway::load {

struct GrpcSink::Call {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::PublishService::Stub> stub;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<v1::PublishStreamRequest, v1::PublishStreamResponse>>
      stream;
  v1::PublishStreamRequest request;  // used again and again
  std::atomic<bool> broken{false};
};

absl::StatusOr<std::unique_ptr<GrpcSink>> GrpcSink::Create(
    const std::string& address, const std::string& token,
    const std::vector<StreamOptions>& streams) {
  auto channel = rpc::CreateChannel(address);
  if (!channel.ok()) return channel.status();
  auto call = std::make_unique<Call>();
  call->channel = *std::move(channel);
  call->stub = v1::PublishService::NewStub(call->channel);
  call->context.set_wait_for_ready(true);
  rpc::AddBearer(token, &call->context);
  call->stream = call->stub->PublishStream(&call->context);
  return std::unique_ptr<GrpcSink>(new GrpcSink(streams, std::move(call)));
}

GrpcSink::GrpcSink(const std::vector<StreamOptions>& streams, std::unique_ptr<Call> call)
    : streams_(streams), call_(std::move(call)), reader_([this] { ReadAnswers(); }) {}

GrpcSink::~GrpcSink() {
  call_->context.TryCancel();
  if (reader_.joinable()) reader_.join();
}

bool GrpcSink::Publish(const Publication& publication) {
  const StreamOptions& stream = streams_[publication.stream];
  v1::PublishStreamRequest& request = call_->request;
  // Echoed by the answer, which is all that has to be known then.
  request.set_id(static_cast<uint64_t>(publication.due_ns));
  v1::Publication& out = *request.mutable_publication();
  if (stream.via == Via::kDurable) {
    v1::DurablePublication& durable = *out.mutable_durable();
    durable.set_topic(stream.topic);
    durable.set_key(publication.record_key.data(), publication.record_key.size());
    durable.set_value(publication.payload.data(), publication.payload.size());
  } else {
    v1::EphemeralPublication& ephemeral = *out.mutable_ephemeral();
    if (ephemeral.channels_size() == 0) ephemeral.add_channels();
    ephemeral.mutable_channels(0)->assign(publication.channel_name);
    ephemeral.set_type("load");
    ephemeral.set_key(publication.key.data(), publication.key.size());
    ephemeral.set_payload(publication.payload.data(), publication.payload.size());
  }
  counters_.sent.fetch_add(1, std::memory_order_release);
  grpc::WriteOptions options;
  if (publication.more) options.set_buffer_hint();
  if (call_->broken.load(std::memory_order_relaxed) || !call_->stream->Write(request, options)) {
    counters_.failed.fetch_add(1, std::memory_order_release);
  }
  return true;
}

void GrpcSink::ReadAnswers() {
  v1::PublishStreamResponse response;
  bool told = false;
  while (call_->stream->Read(&response)) {
    if (response.result().status() == 0) {
      Confirmed(static_cast<int64_t>(response.id()), NowNs());
      continue;
    }
    counters_.failed.fetch_add(1, std::memory_order_release);
    if (!told) {
      std::fprintf(stderr, "spillway-load: publish: %s %s\n",
                   response.result().error_code().c_str(), response.result().message().c_str());
    }
    told = true;
  }
  call_->broken.store(true, std::memory_order_relaxed);
}

void GrpcSink::Finish(std::chrono::seconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!all_answered() && std::chrono::steady_clock::now() < deadline &&
         !call_->broken.load(std::memory_order_relaxed)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (!call_->broken.load(std::memory_order_relaxed)) call_->stream->WritesDone();
  if (!all_answered()) call_->context.TryCancel();
  if (reader_.joinable()) reader_.join();
  const grpc::Status status = call_->stream->Finish();
  if (!status.ok() && status.error_code() != grpc::StatusCode::CANCELLED) {
    std::fprintf(stderr, "spillway-load: publish: %s\n", status.error_message().c_str());
  }
  const uint64_t answered = counters_.confirmed.load() + counters_.failed.load();
  if (answered < counters_.sent.load())
    counters_.failed.fetch_add(counters_.sent.load() - answered);
}

}  // namespace spillway::load
