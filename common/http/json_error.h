#pragma once

#include <string>
#include <string_view>

#include "common/base/json_text.h"
#include "common/http/http_types.h"

namespace spillway::http {

inline constexpr std::string_view kJsonType = "application/json";

// The one shape of an error in HTTP: {"error":{"code":"...","message":"..."}}. `code` is stable,
// the message says what to do.
inline Response JsonError(int status, std::string_view code, std::string_view message) {
  Response response;
  response.status = status;
  response.content_type = kJsonType;
  response.body = "{\"error\":{\"code\":";
  AppendJsonString(&response.body, code);
  response.body += ",\"message\":";
  AppendJsonString(&response.body, message);
  response.body += "}}";
  return response;
}

inline Response Json(int status, std::string body) {
  Response response;
  response.status = status;
  response.content_type = kJsonType;
  response.body = std::move(body);
  return response;
}

}  // namespace spillway::http
