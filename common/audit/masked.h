#pragma once

#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
}

namespace spillway::audit {

// Whether the text of a request's field of that name stays out of the audit log: payloads,
// credentials, tokens.
bool IsMasked(std::string_view field);

// A request as the audit log shows it: its fields that are set, in one line of Protobuf's text
// format, with what IsMasked() in place of which stands "***". At most so many bytes of it are of
// interest to whoever calls. Pure; any thread.
std::string Shown(const google::protobuf::Message& request);

}  // namespace spillway::audit
