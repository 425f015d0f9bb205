#include "tests/integration/edge/fake_ingest.h"

#include <chrono>

namespace spillway::test {
namespace {

constexpr uint32_t kSlot = 7;
constexpr std::chrono::milliseconds kBeat{200};
constexpr std::chrono::seconds kPatience{20};

}  // namespace

FakeIngest::FakeIngest(std::string node_id, int port) : node_id_(std::move(node_id)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(),
                           &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  beats_ = std::thread([this] { Beat(); });
}

FakeIngest::~FakeIngest() {
  stopping_ = true;
  beats_.join();
  if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
}

void FakeIngest::Beat() {
  while (!stopping_) {
    {
      MutexLock lock(mutex_);
      for (struct Link* link : links_) {
        v1::LinkResponse response;
        response.mutable_beat()->set_kafka_up(kafka_up_);
        if (!kafka_up_) response.mutable_beat()->set_kafka_error("brokers are away");
        if (link->attached) {
          v1::ReaderBeat* reader = response.mutable_beat()->add_readers();
          reader->set_slot(kSlot);
          reader->set_attach_id(link->attach_id);
          reader->set_state(v1::READER_STATE_IDLE);
          reader->set_lag(4);
        }
        link->stream->Write(response);
      }
    }
    std::this_thread::sleep_for(kBeat);
  }
}

grpc::Status FakeIngest::Link(grpc::ServerContext*, Stream* stream) {
  struct Link link;
  link.stream = stream;
  v1::LinkRequest request;
  while (stream->Read(&request)) {
    MutexLock lock(mutex_);
    OnRequest(link, request);
    changed_.NotifyAll();
  }
  MutexLock lock(mutex_);
  links_.erase(&link);
  return grpc::Status::OK;
}

void FakeIngest::Greet(Stream* stream) {
  v1::LinkResponse response;
  response.mutable_hello()->set_node_id(node_id_);
  response.mutable_hello()->set_protocol(1);
  stream->Write(response);
  v1::Catalogue* catalogue = response.mutable_catalogue();
  catalogue->set_complete(true);
  v1::CatalogueTopic* topic = catalogue->add_topics();
  topic->set_topic("prices");
  topic->add_feeds()->set_pattern("price:*");
  topic->mutable_feeds(0)->set_snapshot(v1::SNAPSHOT_MODE_NONE);
  topic->add_slots()->set_slot(kSlot);
  stream->Write(response);
}

void FakeIngest::OnRequest(struct Link& link, const v1::LinkRequest& request) {
  if (request.has_hello()) {
    Greet(link.stream);
    links_.insert(&link);
  } else if (request.has_interest()) {
    link.sequence = request.interest().sequence();
    for (const std::string& channel : request.interest().add()) interest_.insert(channel);
    for (const std::string& channel : request.interest().remove()) interest_.erase(channel);
    if (link.attached) SendBatch(link, nullptr);
  } else if (request.has_attach()) {
    attaches_.push_back(request.attach());
    link.attached = true;
    link.attach_id = request.attach().attach_id();
    link.told_sequence = link.sequence;
    v1::LinkResponse response;
    v1::Attached* attached = response.mutable_attached();
    attached->set_slot(kSlot);
    attached->set_attach_id(link.attach_id);
    attached->set_after(request.attach().has_after() ? request.attach().after() : head_);
    attached->set_interest_sequence(link.sequence);
    link.stream->Write(response);
  } else if (request.has_credit()) {
    credit_ += request.credit().bytes();
  }
}

void FakeIngest::SendBatch(struct Link& link, const v1::Event* event) {
  v1::LinkResponse response;
  v1::Progress* progress = response.mutable_batch()->add_progress();
  progress->set_slot(kSlot);
  progress->set_attach_id(link.attach_id);
  progress->set_upto(head_);
  if (link.told_sequence != link.sequence) {
    link.told_sequence = link.sequence;
    progress->set_interest_sequence(link.sequence);
    progress->set_interest_after(event == nullptr ? head_ : head_ - 1);
  }
  if (event != nullptr) *response.mutable_batch()->add_events() = *event;
  link.stream->Write(response);
}

void FakeIngest::Publish(const std::string& channel, const std::string& payload,
                         const std::string& key) {
  MutexLock lock(mutex_);
  v1::Event event;
  event.set_slot(kSlot);
  event.set_offset(++head_);
  event.add_channels(channel);
  event.set_type("price");
  event.set_key(key);
  event.set_payload(payload);
  event.set_encoding(v1::PAYLOAD_ENCODING_JSON);
  for (struct Link* link : links_) {
    if (link->attached) SendBatch(*link, &event);
  }
}

void FakeIngest::SendRaw(const std::string& garbage) {
  MutexLock lock(mutex_);
  v1::LinkResponse response;
  response.mutable_batch_part()->set_last(true);
  response.mutable_batch_part()->set_data(garbage);
  for (struct Link* link : links_) link->stream->Write(response);
}

template <typename Condition>
bool FakeIngest::Wait(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  MutexLock lock(mutex_);
  while (!condition()) {
    if (!changed_.WaitUntil(mutex_, deadline)) return condition();
  }
  return true;
}

bool FakeIngest::WaitForInterest(const std::string& channel) {
  return Wait([&] { return interest_.contains(channel); });
}

bool FakeIngest::WaitForAttach(size_t count) {
  return Wait([&] { return attaches_.size() >= count; });
}

std::vector<v1::Attach> FakeIngest::attaches() {
  MutexLock lock(mutex_);
  return attaches_;
}

size_t FakeIngest::interests() {
  MutexLock lock(mutex_);
  return interest_.size();
}

int64_t FakeIngest::credit() {
  MutexLock lock(mutex_);
  return credit_;
}

size_t FakeIngest::links() {
  MutexLock lock(mutex_);
  return links_.size();
}

}  // namespace spillway::test
