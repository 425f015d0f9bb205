#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <string>

namespace spillway::fetch {

// What this folder's users of libcurl have in common.

// An answer's body, as far as it may be long.
struct Body {
  std::string text;
  size_t max_bytes = 0;
  bool too_large = false;
};

// Initialises libcurl the first time; null without memory.
CURLM* MakeMulti();

// https with certificate and name checked, no protocol but http beside it, no redirect, one
// deadline for all. What is given stays as long as the handle.
void SetOptions(CURL* easy, const std::string& url, std::chrono::milliseconds timeout,
                const std::string& ca_file, Body* body, char* error);

// Why a transfer failed, without credentials.
std::string ErrorOf(CURLcode result, const Body& body, const char* error);

}  // namespace spillway::fetch
