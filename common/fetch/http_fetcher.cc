#include "common/fetch/http_fetcher.h"

#include <curl/curl.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/fetch/curl_options.h"

namespace spillway::fetch {
namespace {

constexpr int kPollMs = 1'000;  // Cancel() wakes it up

struct EasyFree {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

absl::Status Failed(absl::string_view what) { return absl::UnavailableError(what); }

std::string_view RestOf(std::string_view url) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (absl::StartsWithIgnoreCase(Abs(url), Abs(scheme))) return url.substr(scheme.size());
  }
  return {};
}

}  // namespace

bool IsHttpUrl(std::string_view url) {
  const std::string_view rest = RestOf(url);
  if (rest.empty() || rest.front() == '/' || rest.front() == '?' || rest.front() == '#') {
    return false;
  }
  for (const char c : url) {
    if (c <= ' ' || c == 0x7F) return false;
  }
  return true;
}

std::string ShownUrl(std::string_view url) {
  const std::string_view rest = RestOf(url);
  const std::string_view scheme = url.substr(0, url.size() - rest.size());
  std::string_view shown = rest.substr(0, rest.find_first_of("?#"));
  const size_t host_end = shown.find('/');
  if (const size_t at = shown.substr(0, host_end).rfind('@'); at != std::string_view::npos) {
    shown.remove_prefix(at + 1);
  }
  return absl::StrCat(Abs(scheme), Abs(shown));
}

HttpFetcher::HttpFetcher() : multi_(MakeMulti()) {}

HttpFetcher::~HttpFetcher() { curl_multi_cleanup(multi_); }

void HttpFetcher::Cancel() {
  cancelled_.store(true);
  curl_multi_wakeup(multi_);
}

absl::StatusOr<std::string> HttpFetcher::Get(const std::string& url, const FetchOptions& options) {
  const std::unique_ptr<CURL, EasyFree> easy(curl_easy_init());
  if (multi_ == nullptr || easy == nullptr) return Failed("libcurl has no memory");
  Body body{.text = {}, .max_bytes = options.max_bytes};
  char error[CURL_ERROR_SIZE] = "";
  SetOptions(easy.get(), url, options.timeout, options.ca_file, &body, error);
  curl_multi_add_handle(multi_, easy.get());
  CURLMcode code = CURLM_OK;
  int running = 1;
  while (code == CURLM_OK && !cancelled_.load()) {
    code = curl_multi_perform(multi_, &running);
    if (code != CURLM_OK || running == 0) break;
    code = curl_multi_poll(multi_, nullptr, 0, kPollMs, nullptr);
  }
  CURLcode result = CURLE_ABORTED_BY_CALLBACK;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE) result = message->data.result;
  }
  curl_multi_remove_handle(multi_, easy.get());

  if (cancelled_.load()) return Failed("cancelled");
  if (code != CURLM_OK) return Failed(curl_multi_strerror(code));
  if (result != CURLE_OK) return Failed(ErrorOf(result, body, error));
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return Failed(absl::StrCat("answered with HTTP status ", status));
  return std::move(body.text);
}

}  // namespace spillway::fetch
