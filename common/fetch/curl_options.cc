#include "common/fetch/curl_options.h"

#include <mutex>

#include "absl/strings/str_cat.h"

namespace spillway::fetch {
namespace {

// libcurl's: what is not taken whole ends the transfer.
size_t Take(char* data, size_t size, size_t count, void* context) {
  Body& body = *static_cast<Body*>(context);
  if (body.text.size() + size * count > body.max_bytes) {
    body.too_large = true;
    return 0;
  }
  body.text.append(data, size * count);
  return size * count;
}

}  // namespace

CURLM* MakeMulti() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  return curl_multi_init();
}

void SetOptions(CURL* easy, const std::string& url, std::chrono::milliseconds timeout,
                const std::string& ca_file, Body* body, char* error) {
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout.count()));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // A transfer that ends while its host's name is looked up does not wait for the look-up, which
  // may take the resolver's many seconds: all others of the thread would wait with it.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "spillway");
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file.c_str());
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Take);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
}

std::string ErrorOf(CURLcode result, const Body& body, const char* error) {
  if (body.too_large) return absl::StrCat("more than ", body.max_bytes, " bytes");
  return *error != '\0' ? error : curl_easy_strerror(result);
}

}  // namespace spillway::fetch
