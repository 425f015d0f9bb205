#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace spillway::ingest {

// How a call is answered that was to write to a topic of the ingest's own, "control" or "audit":
// its codes begin with that name, but for those of what is wrong with the request and of too much
// at a time.
struct TopicRefusal {
  absl::string_view topic;
  absl::string_view bad;
  absl::string_view full;

  grpc::Status Of(const absl::Status& status) const {
    const auto coded = [&](grpc::StatusCode code, absl::string_view name) {
      return grpc::Status(code, absl::StrCat(name, ": ", status.message()));
    };
    switch (status.code()) {
      case absl::StatusCode::kInvalidArgument:
        return coded(grpc::StatusCode::INVALID_ARGUMENT, bad);
      case absl::StatusCode::kResourceExhausted:
        return coded(grpc::StatusCode::RESOURCE_EXHAUSTED, full);
      case absl::StatusCode::kDeadlineExceeded:
        return coded(grpc::StatusCode::DEADLINE_EXCEEDED, absl::StrCat(topic, "_timeout"));
      case absl::StatusCode::kPermissionDenied:
        return coded(grpc::StatusCode::PERMISSION_DENIED, absl::StrCat(topic, "_denied"));
      case absl::StatusCode::kNotFound:
        return coded(grpc::StatusCode::FAILED_PRECONDITION, absl::StrCat(topic, "_topic_missing"));
      default:
        return coded(grpc::StatusCode::UNAVAILABLE, absl::StrCat(topic, "_unavailable"));
    }
  }
};

}  // namespace spillway::ingest
