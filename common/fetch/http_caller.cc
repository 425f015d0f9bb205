#include "common/fetch/http_caller.h"

#include <curl/curl.h>
#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/fetch/curl_options.h"

namespace spillway::fetch {
namespace {

constexpr int kPollMs = 1'000;  // Post() and Stop() wake it up

struct EasyFree {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

}  // namespace

struct HttpCaller::Transfer {
  std::string text;  // that is sent
  std::chrono::milliseconds timeout;
  Done done;
  Body body;
  char error[CURL_ERROR_SIZE] = "";
  std::unique_ptr<curl_slist, ListFree> headers;
  std::unique_ptr<CURL, EasyFree> easy;

  void Add(const char* header) {
    curl_slist* const longer = curl_slist_append(headers.get(), header);
    if (longer == nullptr) return;
    static_cast<void>(headers.release());  // it is the new one's
    headers.reset(longer);
  }
};

HttpCaller::HttpCaller(Options options) : options_(std::move(options)), multi_(MakeMulti()) {
  if (multi_ == nullptr) std::abort();  // there is no memory to begin with
  const auto connections = static_cast<long>(options_.max_connections);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections);
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
}

HttpCaller::~HttpCaller() {
  Stop();
  curl_multi_cleanup(multi_);
}

void HttpCaller::Start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), options_.thread_name.c_str());
    Run();
  });
}

void HttpCaller::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  curl_multi_wakeup(multi_);
  if (thread_.joinable()) thread_.join();
  MutexLock lock(mutex_);
  waiting_.clear();
}

void HttpCaller::Post(std::string body, std::chrono::milliseconds timeout, Done done) {
  auto transfer = std::make_unique<Transfer>();
  transfer->text = std::move(body);
  transfer->timeout = timeout;
  transfer->done = std::move(done);
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    waiting_.push_back(std::move(transfer));
    if (waiting_.size() > 1) return;  // it was woken
  }
  curl_multi_wakeup(multi_);
}

void HttpCaller::Run() {
  for (;;) {
    std::vector<std::unique_ptr<Transfer>> waiting;
    {
      MutexLock lock(mutex_);
      if (stopping_) break;
      waiting.swap(waiting_);
    }
    for (std::unique_ptr<Transfer>& transfer : waiting) Begin(std::move(transfer));
    int running = 0;
    curl_multi_perform(multi_, &running);
    Finish();
    curl_multi_poll(multi_, nullptr, 0, kPollMs, nullptr);
  }
  for (const auto& transfer : running_) curl_multi_remove_handle(multi_, transfer->easy.get());
  running_.clear();
}

void HttpCaller::Begin(std::unique_ptr<Transfer> transfer) {
  transfer->easy.reset(curl_easy_init());
  CURL* const easy = transfer->easy.get();
  if (easy != nullptr) {
    transfer->body.max_bytes = options_.max_bytes;
    SetOptions(easy, options_.url, transfer->timeout, options_.ca_file, &transfer->body,
               transfer->error);
    transfer->Add("Content-Type: application/json");
    transfer->Add("Accept: application/json");
    transfer->Add("Expect:");  // none: a long body would wait for leave to be sent
    if (options_.headers != nullptr) {
      for (const std::string& header : options_.headers()) transfer->Add(header.c_str());
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers.get());
    // A call that times out takes its connection with it. With HTTP/2 it would not: one that has
    // died without a word would be used, and time out, until TCP gives it up.
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(transfer->text.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->text.data());
    if (curl_multi_add_handle(multi_, easy) == CURLM_OK) {
      running_.push_back(std::move(transfer));
      return;
    }
  }
  transfer->done({.status = 0, .body = {}, .error = "libcurl cannot make a call"});
}

void HttpCaller::Finish() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode result = message->data.result;
    const auto found = std::find_if(running_.begin(), running_.end(), [easy](const auto& transfer) {
      return transfer->easy.get() == easy;
    });
    const std::unique_ptr<Transfer> transfer = std::move(*found);
    running_.erase(found);
    curl_multi_remove_handle(multi_, easy);
    Answer answer;
    if (result != CURLE_OK) {
      answer.error = ErrorOf(result, transfer->body, transfer->error);
    } else {
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
      answer.body = std::move(transfer->body.text);
    }
    transfer->done(std::move(answer));
  }
}

}  // namespace spillway::fetch
