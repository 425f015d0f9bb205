#pragma once

#include <string_view>

#include "services/ingest/control/publish_service.h"

namespace spillway::ingest {

// A reactor for one PublishStream of `publisher`: publishes in the order of the requests and
// answers in it. Reads no further while max_stream_pending answers are owed. Deletes itself when
// gRPC is done with it.
grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>* NewPublishStream(
    PublishService& service, PublishService::Publisher publisher);

// Whether the text is one JSON value.
bool IsJson(std::string_view text);

}  // namespace spillway::ingest
