#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

using CURLM = void;

namespace spillway::fetch {

struct FetchOptions {
  std::chrono::milliseconds timeout{5'000};  // for all of it
  size_t max_bytes = 256 * 1024;             // of the answer
  std::string ca_file;                       // PEM, in place of the system's authorities
};

// Whether it is http://HOST... or https://HOST...
bool IsHttpUrl(std::string_view url);
// For people: without user, password, query and fragment.
std::string ShownUrl(std::string_view url);

// Fetches small documents by HTTP, with libcurl: https with the server's certificate and name
// checked, no other protocol, no redirect followed, proxies as the environment has them. Get() is
// for one thread at a time and blocks it; Cancel() is for any. Owned by whoever runs that thread.
class HttpFetcher {
 public:
  HttpFetcher();
  ~HttpFetcher();
  HttpFetcher(const HttpFetcher&) = delete;
  HttpFetcher& operator=(const HttpFetcher&) = delete;

  // The body of an answer with status 200. Unavailable otherwise; the message names no credentials.
  absl::StatusOr<std::string> Get(const std::string& url, const FetchOptions& options);
  // Ends the call that is under way, and all that follow.
  void Cancel();

 private:
  CURLM* const multi_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace spillway::fetch
