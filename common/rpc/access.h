#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/log/rate_limited.h"
#include "common/metrics/metrics.h"
#include "common/rpc/credentials.h"
#include "spillway/v1/access.pb.h"

namespace grpc {
class CallbackServerContext;
class ClientContext;
}  // namespace grpc

namespace spillway::rpc {

// Somebody who may call, as the configuration names him.
struct Principal {
  std::string name;  // "": anybody, where nobody has to say who he is
  v1::Role role = v1::ROLE_UNSPECIFIED;
  size_t index = 0;  // in Door::callers
};

// Who makes a call.
struct Caller {
  const Principal* principal = nullptr;  // null: his credentials are no longer good
  std::string address = {};  // without port; of an HTTP caller, his and not the gateway's
  // For whom the caller says that it calls: an edge that passes a call on. "": for itself.
  std::string behalf = {};
  std::string correlation_id = {};  // of the call; "": it has none
  const std::string& name() const;
  // "ada", or "ada via edges" of one who calls for another.
  std::string actor() const;
};

// What a call shows. Views: they live as long as the call's headers.
struct Presented {
  std::string_view method = {};         // path: "/spillway.v1.AdminService/GetStats"
  std::string_view authorization = {};  // the metadata entry of that name; "" without one
  bool repeated = false;  // there are several: which of them counts would be anybody's guess
  std::string_view address = {};  // "" where it is not known
  // Of the client's certificate, which was verified; empty without one.
  std::string_view subject = {};  // RFC 2253: "CN=dashboard,O=Example"
  std::vector<std::string_view> sans = {};
};

// Who may call which method of a server: the one place where that is decided, once for each call,
// for gRPC and for HTTP. What a method needs is said by its definition (required_role); whatever
// says nothing, or is no method of a door, is refused. Health checks and reflection are open.
//
// Thread-safe. Owned by the composition root; outlives the servers and gateways that ask it.
class Access {
 public:
  struct CallerOptions {
    std::string key = {};  // of the configuration, for errors: "edge.admin.callers[2]"
    std::string name = {};
    v1::Role role = v1::ROLE_UNSPECIFIED;
    // What he shows: everything that is set.
    std::string token = {};
    std::string token_file = {};  // any of the tokens in it
    std::string subject = {};
    std::string san = {};
    bool has_token() const { return !token.empty() || !token_file.empty(); }
  };
  // Services with the same callers.
  struct Door {
    std::string key = {};                    // for texts: "edge.admin"
    std::vector<std::string> services = {};  // full names; their definitions are linked in
    std::vector<CallerOptions> callers = {};
    // Without callers the door is open: whoever comes has this role.
    v1::Role open_role = v1::ROLE_UNSPECIFIED;
  };
  // Why a call is refused; Name() is its code (docs/errors.md).
  enum class Reason { kNoCredentials, kBadCredentials, kRoleTooLow };
  static constexpr size_t kReasons = 3;
  static std::string_view Name(Reason reason);
  struct Refusal {
    Reason reason;
    std::string_view caller = {};   // "": not known
    std::string_view method = {};   // path, of a method that there is
    std::string_view address = {};  // "": not known
  };
  using OnRefused = std::function<void(const Refusal& refusal)>;
  struct Verdict {
    absl::Status status;
    const Principal* principal = nullptr;  // if OK, but for open services
  };

  // Reads files. InvalidArgument begins with the key that is wrong. `clock` outlives this.
  static absl::StatusOr<std::shared_ptr<Access>> Create(std::vector<Door> doors,
                                                        const Clock& clock);

  // May read a file with tokens anew, at most every kTokenFileInterval.
  Verdict Judge(const Presented& presented) const;
  // Of a call of that service that Judge let in; for what its handler does and tells.
  Caller CallerOf(const grpc::CallbackServerContext& context, std::string_view service) const;
  // Metadata for a call that is made for an actor, "" or not: believed of admins, who are trusted
  // with all that there is.
  static void AddBehalf(const std::string& actor, grpc::ClientContext* context);
  // Metadata for a call that a gateway makes for somebody whom Judge let in: CallerOf believes it
  // from nobody else, since it holds a key that does not leave the process.
  std::vector<std::pair<std::string, std::string>> OnBehalfOf(const Principal& principal,
                                                              std::string_view address) const;

  // Told of refusals, on the thread of the call: must not block. Before calls come.
  void SetOnRefused(OnRefused on_refused) { on_refused_ = std::move(on_refused); }
  const metrics::AtomicCounter& refused(Reason reason) const {
    return refused_[static_cast<size_t>(reason)];
  }
  // The counts above and below, by `reason`.
  void AddMetrics(const metrics::Family& refused, const metrics::Family& file_failures,
                  metrics::Sink& sink) const;
  // Times that a file with tokens could not be read: those of before stay.
  const metrics::AtomicCounter& file_failures() const { return file_failures_; }

 private:
  struct Known {
    CallerOptions options;
    Principal principal;
  };
  // Tokens of a door, in no order that matters, with whose they are.
  using Tokens = std::vector<std::pair<TokenDigest, size_t>>;
  static constexpr size_t kNobody = SIZE_MAX;
  struct DoorState {
    std::string key;
    std::vector<Known> callers;
    Principal anybody;
    std::vector<std::vector<std::string>> file_tokens;  // of each caller, as last read
    std::shared_ptr<const Tokens> tokens;
  };
  struct Method {
    size_t door;
    v1::Role role;
  };
  struct Found {
    const Principal* principal = nullptr;
    Reason reason = Reason::kNoCredentials;
    const char* why = "";
  };

  explicit Access(const Clock& clock);
  absl::Status AddDoor(Door door);
  // Looks at all of them, whichever it is. kNobody: it is no one's, or of several.
  static size_t OwnerOf(const Tokens* tokens, const TokenDigest& digest);
  absl::Status ReadFiles(DoorState* door, bool first) const;
  Found Identify(size_t door, const Presented& presented) const;
  absl::Status Refuse(Reason reason, std::string_view caller, const Presented& presented,
                      std::string text) const;
  void LookAtFiles() const;

  const Clock& clock_;
  std::string gateway_key_;
  absl::flat_hash_map<std::string, Method> methods_;   // by path
  absl::flat_hash_map<std::string, size_t> services_;  // doors
  OnRefused on_refused_;
  mutable log::RateLimited log_;
  mutable std::array<metrics::AtomicCounter, kReasons> refused_;
  mutable metrics::AtomicCounter file_failures_;

  bool has_files_ = false;
  mutable Mutex mutex_;
  mutable MonoTime looked_ SPILLWAY_GUARDED_BY(mutex_);
  mutable std::vector<DoorState> doors_;  // but for their tokens, never changed once calls come
};

// The same where there may be no Access: then it is anybody, of that address.
Caller CallerOf(const Access* access, const grpc::CallbackServerContext& context,
                std::string_view service);

}  // namespace spillway::rpc
