#include "services/ingest/control/publish_stream.h"

#include <simdjson.h>

#include <deque>
#include <memory>
#include <utility>

#include "common/base/mutex.h"

namespace spillway::ingest {
namespace {

class PublishStream final
    : public grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse> {
 public:
  PublishStream(PublishService& service, PublishService::Publisher publisher)
      : service_(service), publisher_(std::move(publisher)), state_(std::make_shared<State>()) {
    {
      MutexLock lock(state_->mutex);
      state_->stream = this;
    }
    Handoff();
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    Handoff();
    if (!ok) {
      {
        MutexLock lock(state_->mutex);
        state_->read_all = true;
      }
      Next();
      return;
    }
    std::shared_ptr<Entry> entry = std::make_shared<Entry>();
    entry->response.set_id(request_.id());
    bool read_on = false;
    {
      MutexLock lock(state_->mutex);
      state_->entries.push_back(entry);
      read_on = state_->entries.size() < service_.options().max_stream_pending;
      state_->reading = read_on;
    }
    // The answer may come when the stream is long gone: it holds the state, not the stream.
    service_.PublishOne(publisher_, request_.publication(),
                        [state = state_, entry](v1::PublishResult result) {
                          {
                            MutexLock lock(state->mutex);
                            *entry->response.mutable_result() = std::move(result);
                            entry->ready = true;
                            if (state->stream == nullptr) return;
                            ++state->users;
                          }
                          state->stream->Next();
                          state->Leave();
                        });
    Handoff();
    if (read_on) StartRead(&request_);
  }

  void OnWriteDone(bool ok) override {
    Handoff();
    {
      MutexLock lock(state_->mutex);
      state_->writing = false;
      if (!ok) state_->broken = true;
    }
    Next();
  }
  void OnCancel() override {
    Handoff();
    {
      MutexLock lock(state_->mutex);
      state_->broken = true;
    }
    Next();
  }
  void OnDone() override {
    Handoff();
    {
      MutexLock lock(state_->mutex);
      state_->stream = nullptr;
      while (state_->users > 0) state_->left.Wait(state_->mutex);
    }
    delete this;
  }

 private:
  struct Entry {
    v1::PublishStreamResponse response;
    bool ready = false;
  };
  struct State {
    Mutex mutex;
    CondVar left;
    PublishStream* stream SPILLWAY_GUARDED_BY(mutex) = nullptr;  // null once it is done
    size_t users SPILLWAY_GUARDED_BY(mutex) = 0;  // answers that are just calling the stream
    std::deque<std::shared_ptr<Entry>> entries
        SPILLWAY_GUARDED_BY(mutex);  // in order, not answered
    bool reading SPILLWAY_GUARDED_BY(mutex) = true;
    bool read_all SPILLWAY_GUARDED_BY(mutex) = false;
    bool writing SPILLWAY_GUARDED_BY(mutex) = false;
    bool broken SPILLWAY_GUARDED_BY(mutex) = false;
    bool finished SPILLWAY_GUARDED_BY(mutex) = false;

    void Leave() {
      MutexLock lock(mutex);
      if (--users == 0) left.NotifyAll();
    }
  };

  // gRPC orders its reactions after the calls that lead to them; a lock on both sides shows it to
  // ThreadSanitizer, which does not see into the library.
  void Handoff() { MutexLock lock(handoff_); }

  // Does what can be done next: write the oldest answer, read on, or end.
  void Next() {
    bool write = false;
    bool read = false;
    bool finish = false;
    {
      MutexLock lock(state_->mutex);
      State& state = *state_;
      if (state.finished || state.writing) return;
      if (!state.broken && !state.entries.empty() && state.entries.front()->ready) {
        writing_ = state.entries.front();
        state.entries.pop_front();
        state.writing = write = true;
        read = !state.reading && !state.read_all;
        if (read) state.reading = true;
      } else if (state.broken || (state.read_all && state.entries.empty())) {
        state.finished = finish = true;
      }
    }
    Handoff();
    if (write) StartWrite(&writing_->response);
    if (read) StartRead(&request_);
    if (finish) Finish(grpc::Status::OK);
  }

  Mutex handoff_;
  PublishService& service_;
  const PublishService::Publisher publisher_;
  const std::shared_ptr<State> state_;
  v1::PublishStreamRequest request_;
  std::shared_ptr<Entry> writing_;  // by whoever set State::writing
};

}  // namespace

grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>* NewPublishStream(
    PublishService& service, PublishService::Publisher publisher) {
  return new PublishStream(service, std::move(publisher));
}

bool IsJson(std::string_view text) {
  thread_local simdjson::dom::parser parser;
  return parser.parse(text.data(), text.size()).error() == simdjson::SUCCESS;
}

}  // namespace spillway::ingest
