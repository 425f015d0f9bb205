#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"

using CURL = void;
using CURLM = void;

namespace spillway::fetch {

// Calls one small HTTP service with libcurl, many times at once, on one thread of its own:
// connections are kept and used again. https with the server's certificate and name checked, no
// other protocol but http, no redirect followed, proxies as the environment has them. Post() is for
// any thread; what is under way is bounded by whoever calls. Owned by the composition root.
class HttpCaller {
 public:
  struct Options {
    std::string url;
    std::string ca_file = {};      // PEM, in place of the system's authorities
    size_t max_bytes = 64 * 1024;  // of an answer
    size_t max_connections = 64;   // that are kept, or open at once
    std::string thread_name = "http-caller";
    // "Name: value", of each call, beside those of JSON by POST; without line ends. Asked on the
    // thread of the calls, which it holds up.
    std::function<std::vector<std::string>()> headers = {};
  };
  struct Answer {
    long status = 0;  // 0: there was none
    std::string body = {};
    std::string error = {};  // without a status: why, without credentials
  };
  // On the thread of the calls: must not block, may Post(), may not Stop().
  using Done = std::function<void(Answer)>;

  // Aborts without memory.
  explicit HttpCaller(Options options);
  ~HttpCaller();  // Stop()
  HttpCaller(const HttpCaller&) = delete;
  HttpCaller& operator=(const HttpCaller&) = delete;

  void Start();
  // Ends the thread. What is under way, or comes later, is dropped: its `done` is not called.
  // Idempotent; not for two threads at once.
  void Stop();
  void Post(std::string body, std::chrono::milliseconds timeout, Done done);

 private:
  struct Transfer;

  void Run();
  void Begin(std::unique_ptr<Transfer> transfer);
  void Finish();

  const Options options_;
  CURLM* const multi_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> waiting_ SPILLWAY_GUARDED_BY(mutex_);
  bool stopping_ SPILLWAY_GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<Transfer>> running_;  // of the thread
  std::thread thread_;
};

}  // namespace spillway::fetch
