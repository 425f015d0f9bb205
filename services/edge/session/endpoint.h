#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/auth/jwt.h"
#include "common/http/path_template.h"
#include "services/edge/dialect/dialect.h"
#include "services/edge/session/channel_policy.h"
#include "services/edge/session/channel_template.h"
#include "services/edge/session/compression_rule.h"
#include "services/edge/session/labels.h"
#include "services/edge/session/origin_list.h"

namespace spillway::edge {

// How connections of an endpoint are kept alive.
struct HeartbeatOptions {
  std::chrono::milliseconds interval{30'000};  // between pings; 0: none are sent
  std::chrono::milliseconds timeout{60'000};   // a client silent for so long is closed; 0: never
  bool message = true;                         // ping by the dialect's own message
  bool protocol = false;                       // ping by a frame of RFC 6455, section 5.5.2
};

// A query parameter that means something, or a placeholder of the path.
struct ParamOptions {
  std::string name = {};
  bool required = false;
  std::string claim = {};        // what it must equal, or be in; empty: not checked
  bool allow_ungranted = false;  // accept clients that do not have the claim
  bool in_path = false;          // set by Endpoint
};

// Whether clients are checked by SessionContext::auth.
enum class AuthServiceUse : uint8_t {
  kOff,
  kAlso,     // once their token is good
  kInstead,  // it decides about tokens, of any form
};

struct AuthOptions {
  bool required = true;
  std::string query_param = "token";           // empty: none
  std::string header = "authorization";        // lower case; empty: none
  std::string roles_claim = "roles";           // see RolesOf(); empty: there are none
  std::string channels_claim = "channels";     // see GrantedChannels()
  std::string subprotocol_prefix = "bearer.";  // of one that is a token; empty: none
  std::string cookie = {};                     // empty: none
  bool message = false;                        // clients without a token send it by a message
  std::chrono::milliseconds message_timeout{10'000};
  bool end_at_expiry = true;                    // of the token
  std::chrono::milliseconds expiry_warning{0};  // so long before it is told; 0: it is not
  std::chrono::seconds leeway{0};               // without a verifier, which has its own
  AuthServiceUse service = AuthServiceUse::kOff;
  bool service_anonymous = false;  // it is asked about clients without a token, too
  bool accept_unchecked = false;   // clients that it could not be asked about
};

struct EndpointOptions {
  std::string path = "/ws";  // see http::PathTemplate
  AuthOptions auth;
  std::vector<ParamOptions> params;
  std::vector<std::string> subscribe;  // channel templates
  bool commands = true;                // accept subscribe and unsubscribe
  HeartbeatOptions heartbeat;
  CompressionRule compression;
  std::vector<std::string> origins;  // of web pages that may connect; empty: any
  std::map<std::string, std::string, std::less<>> labels;  // LabelRules, by name
  std::string affinity_key = {};  // a template of what belongs together; empty: nothing does
  std::string affinity_param = "redirected";
};

// What an endpoint refers to; all outlive it.
struct EndpointParts {
  const Dialect* dialect = nullptr;
  VariantId variant = 0;  // of `dialect`, plain
  const ChannelPolicy* policy = nullptr;
  const auth::JwtVerifier* verifier = nullptr;  // may be null if no token is required
};

// An endpoint, checked and compiled. Immutable: usable from any thread. Owned by the composition
// root; outlives all sessions.
class Endpoint {
 public:
  // InvalidArgument names the endpoint and what is wrong with it.
  static absl::StatusOr<std::unique_ptr<Endpoint>> Create(EndpointOptions options,
                                                          const EndpointParts& parts);

  const EndpointOptions& options() const { return options_; }
  const Dialect& dialect() const { return *parts_.dialect; }
  VariantId variant() const { return parts_.variant; }
  const ChannelPolicy& policy() const { return *parts_.policy; }
  const auth::JwtVerifier* verifier() const { return parts_.verifier; }
  // How long after its end a token still counts.
  std::chrono::seconds leeway() const {
    return parts_.verifier == nullptr ? options_.auth.leeway : parts_.verifier->leeway();
  }
  // Whether a token that comes is looked at, by keys or by the service.
  bool takes_tokens() const {
    return parts_.verifier != nullptr || options_.auth.service == AuthServiceUse::kInstead;
  }
  const std::vector<ChannelTemplate>& subscribe() const { return subscribe_; }
  const http::PathTemplate& path() const { return path_; }
  const OriginList& origins() const { return origins_; }
  const LabelRules& labels() const { return labels_; }
  const std::optional<ChannelTemplate>& affinity() const { return affinity_; }

 private:
  Endpoint(EndpointOptions options, const EndpointParts& parts)
      : options_(std::move(options)), parts_(parts) {}

  const EndpointOptions options_;
  const EndpointParts parts_;
  std::vector<ChannelTemplate> subscribe_;
  http::PathTemplate path_;
  OriginList origins_;
  LabelRules labels_;
  std::optional<ChannelTemplate> affinity_;
};

}  // namespace spillway::edge
