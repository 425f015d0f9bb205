#include "common/rpc/access.h"

#include <google/protobuf/descriptor.h>
#include <grpc/grpc_security_constants.h>
#include <grpcpp/client_context.h>
#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "common/rpc/correlation.h"
#include "common/rpc/roles.h"

namespace spillway::rpc {
namespace {

constexpr char kGatewayKey[] = "spillway-gateway";
constexpr char kGatewayCaller[] = "spillway-caller";
constexpr char kGatewayAddress[] = "spillway-address";
constexpr char kBehalf[] = "spillway-actor";
constexpr std::string_view kOpenServices[] = {"/grpc.health.v1.Health/",
                                              "/grpc.reflection.v1alpha.ServerReflection/"};
constexpr size_t kMaxNameBytes = 64;

std::string_view View(grpc::string_ref text) { return {text.data(), text.size()}; }

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("._-@:/").find(c) != std::string_view::npos;
         });
}

absl::Status At(std::string_view key, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(Abs(key), ": ", what));
}

bool HasCertificate(const Access::CallerOptions& caller, const Presented& presented) {
  if (!caller.subject.empty() && caller.subject != presented.subject) return false;
  return caller.san.empty() || std::find(presented.sans.begin(), presented.sans.end(),
                                         caller.san) != presented.sans.end();
}

std::string ValueOf(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata,
                    const char* key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::string() : std::string(View(found->second));
}

// The values live as long as the connection.
void AddCertificate(const grpc::AuthContext& context, Presented* presented) {
  for (const grpc::string_ref& value :
       context.FindPropertyValues(GRPC_X509_SUBJECT_PROPERTY_NAME)) {
    presented->subject = View(value);
  }
  for (const grpc::string_ref& value : context.FindPropertyValues(GRPC_X509_SAN_PROPERTY_NAME)) {
    presented->sans.push_back(View(value));
  }
}

}  // namespace

const std::string& Caller::name() const {
  static const std::string nobody;
  return principal == nullptr ? nobody : principal->name;
}

std::string Caller::actor() const {
  return behalf.empty() ? name() : absl::StrCat(behalf, " via ", name());
}

std::string_view Access::Name(Reason reason) {
  switch (reason) {
    case Reason::kNoCredentials:
      return "no_credentials";
    case Reason::kBadCredentials:
      return "bad_credentials";
    case Reason::kRoleTooLow:
      break;
  }
  return "role_too_low";
}

Access::Access(const Clock& clock)
    : clock_(clock), log_(clock, std::chrono::seconds(10)), looked_(clock.Now()) {
  unsigned char key[16];
  if (RAND_bytes(key, sizeof(key)) != 1) return;
  gateway_key_ =
      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(key), sizeof(key)));
}

absl::StatusOr<std::shared_ptr<Access>> Access::Create(std::vector<Door> doors,
                                                       const Clock& clock) {
  std::shared_ptr<Access> access(new Access(clock));
  if (access->gateway_key_.empty()) return absl::InternalError("there are no random numbers");
  for (Door& door : doors) {
    if (absl::Status status = access->AddDoor(std::move(door)); !status.ok()) return status;
  }
  MutexLock lock(access->mutex_);  // see CallerOf
  return access;
}

absl::Status Access::AddDoor(Door door) {
  const size_t number = doors_.size();
  for (const std::string& name : door.services) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    if (service == nullptr) return At(door.key, absl::StrCat("there is no service ", name));
    services_[name] = number;
    for (int i = 0; i < service->method_count(); ++i) {
      methods_[absl::StrCat("/", name, "/", service->method(i)->name())] = {
          .door = number, .role = RequiredRole(*service->method(i))};
    }
  }
  DoorState state;
  state.key = door.key;
  state.anybody.role = door.open_role;
  for (CallerOptions& options : door.callers) {
    const bool taken =
        std::any_of(state.callers.begin(), state.callers.end(),
                    [&](const Known& other) { return other.options.name == options.name; });
    if (!IsName(options.name)) {
      return At(options.key, "a name has 1 to 64 letters, digits and . _ - @ : /");
    }
    if (taken) return At(options.key, absl::StrCat("there are two callers named ", options.name));
    if (!options.has_token() && options.subject.empty() && options.san.empty()) {
      return At(options.key, "needs a token or a certificate to be known by");
    }
    if (!options.token.empty()) {
      if (const absl::Status status = CheckToken(options.token); !status.ok()) {
        return At(options.key, status.message());
      }
    }
    has_files_ = has_files_ || !options.token_file.empty();
    const Principal principal{options.name, options.role, state.callers.size()};
    state.callers.push_back({std::move(options), principal});
  }
  state.file_tokens.resize(state.callers.size());
  if (absl::Status status = ReadFiles(&state, /*first=*/true); !status.ok()) return status;
  doors_.push_back(std::move(state));
  return absl::OkStatus();
}

size_t Access::OwnerOf(const Tokens* tokens, const TokenDigest& digest) {
  size_t owner = kNobody;
  if (tokens == nullptr) return owner;
  for (const auto& [known, index] : *tokens) {
    if (SameDigest(known, digest)) owner = index;
  }
  return owner;
}

absl::Status Access::ReadFiles(DoorState* door, bool first) const {
  auto tokens = std::make_shared<Tokens>();
  absl::Status problem;
  for (size_t i = 0; i < door->callers.size(); ++i) {
    const CallerOptions& caller = door->callers[i].options;
    if (!caller.token_file.empty()) {
      auto read = ReadTokens(caller.token_file);
      if (first && read.ok() && read->empty()) {
        read = absl::InvalidArgumentError(
            absl::StrCat("the token file '", caller.token_file, "' has no token in it"));
      }
      if (read.ok()) {
        door->file_tokens[i] = *std::move(read);
      } else {
        problem = At(caller.key, read.status().message());
        if (first) return problem;
      }
    }
    std::vector<std::string_view> own(door->file_tokens[i].begin(), door->file_tokens[i].end());
    if (!caller.token.empty()) own.push_back(caller.token);
    for (const std::string_view token : own) {
      const TokenDigest digest = DigestOf(token);
      const auto other = std::find_if(tokens->begin(), tokens->end(), [&](const auto& known) {
        return SameDigest(known.first, digest);
      });
      if (other == tokens->end()) {
        tokens->emplace_back(digest, i);
      } else if (other->second != i) {
        // Whose call it is could not be told: it stays with the one who had it, or is nobody's.
        const bool known = other->second != kNobody;
        problem = At(caller.key,
                     absl::StrCat("has a token of ",
                                  known ? door->callers[other->second].options.name : "others"));
        if (first) return problem;
        const size_t before = OwnerOf(door->tokens.get(), digest);
        if (before == i || before != other->second) other->second = before == i ? i : kNobody;
      }
    }
  }
  door->tokens = std::move(tokens);
  return problem;
}

void Access::LookAtFiles() const {
  if (!has_files_) return;
  const MonoTime now = clock_.Now();
  std::vector<DoorState> doors;  // read without the lock: other calls go on with what there was
  {
    MutexLock lock(mutex_);
    if (now - looked_ < kTokenFileInterval) return;
    looked_ = now;
    doors = doors_;
  }
  for (size_t i = 0; i < doors.size(); ++i) {
    const absl::Status status = ReadFiles(&doors[i], /*first=*/false);
    {
      MutexLock lock(mutex_);
      doors_[i].file_tokens = std::move(doors[i].file_tokens);
      doors_[i].tokens = std::move(doors[i].tokens);
    }
    if (!status.ok()) {
      file_failures_.Add();
      log_.Warn(absl::StrCat("file ", doors[i].key), "a file with tokens cannot be used as it is",
                {{"error", Std(status.message())}});
    }
  }
}

Access::Found Access::Identify(size_t number, const Presented& presented) const {
  const DoorState& door = doors_[number];
  if (door.callers.empty()) return {.principal = &door.anybody};
  if (presented.repeated) {
    return {.reason = Reason::kBadCredentials, .why = "there is 'authorization' more than once"};
  }
  if (!presented.authorization.empty()) {
    const std::string_view token = BearerToken(presented.authorization);
    if (token.empty()) {
      return {.reason = Reason::kBadCredentials, .why = "'authorization' is no 'Bearer <token>'"};
    }
    const TokenDigest digest = DigestOf(token);
    std::shared_ptr<const Tokens> tokens;
    {
      MutexLock lock(mutex_);
      tokens = door.tokens;
    }
    const Known* owner = nullptr;
    if (const size_t index = OwnerOf(tokens.get(), digest); index != kNobody) {
      owner = &door.callers[index];
    }
    if (owner == nullptr) {
      return {.reason = Reason::kBadCredentials, .why = "the bearer token is nobody's"};
    }
    if (!HasCertificate(owner->options, presented)) {
      return {.reason = Reason::kBadCredentials,
              .why = "the bearer token comes without the certificate that goes with it"};
    }
    return {.principal = &owner->principal};
  }
  for (const Known& known : door.callers) {
    if (!known.options.has_token() && HasCertificate(known.options, presented)) {
      return {.principal = &known.principal};
    }
  }
  if (!presented.subject.empty() || !presented.sans.empty()) {
    return {.reason = Reason::kNoCredentials,
            .why =
                "needs the metadata 'authorization: Bearer <token>', or the client certificate "
                "of somebody who is listed"};
  }
  return {.reason = Reason::kNoCredentials,
          .why = "needs the metadata 'authorization: Bearer <token>'"};
}

absl::Status Access::Refuse(Reason reason, std::string_view caller, const Presented& presented,
                            std::string text) const {
  refused_[static_cast<size_t>(reason)].Add();
  log_.Warn(absl::StrCat(Abs(Name(reason)), " ", Abs(caller)), "a call was refused",
            {{"code", Name(reason)},
             {"caller", caller},
             {"method", presented.method},
             {"address", presented.address}});
  if (on_refused_) {
    on_refused_({.reason = reason,
                 .caller = caller,
                 .method = presented.method,
                 .address = presented.address});
  }
  text = absl::StrCat(Abs(Name(reason)), ": ", text);
  return reason == Reason::kRoleTooLow ? absl::PermissionDeniedError(text)
                                       : absl::UnauthenticatedError(text);
}

Access::Verdict Access::Judge(const Presented& presented) const {
  const auto found = methods_.find(Abs(presented.method));
  if (found == methods_.end()) {
    for (const std::string_view open : kOpenServices) {
      if (presented.method.starts_with(open)) return {absl::OkStatus()};
    }
    return {absl::UnimplementedError("this port has no such method")};
  }
  LookAtFiles();
  const Method& method = found->second;
  const Found who = Identify(method.door, presented);
  if (who.principal == nullptr) {
    return {
        Refuse(who.reason, "", presented, absl::StrCat(doors_[method.door].key, ": ", who.why))};
  }
  if (!RoleAllows(who.principal->role, method.role)) {
    return {Refuse(Reason::kRoleTooLow, who.principal->name, presented,
                   absl::StrCat(Abs(presented.method.substr(presented.method.rfind('/') + 1)),
                                " needs the role ", Abs(RoleName(method.role)), ", and ",
                                who.principal->name.empty() ? "the caller" : who.principal->name,
                                " has ", Abs(RoleName(who.principal->role))))};
  }
  return {absl::OkStatus(), who.principal};
}

Caller Access::CallerOf(const grpc::CallbackServerContext& context,
                        std::string_view service) const {
  {
    // What Create has written is handed to gRPC's threads by gRPC: ThreadSanitizer does not see
    // into it.
    MutexLock lock(mutex_);
  }
  Caller caller;
  const auto door = services_.find(Abs(service));
  if (door == services_.end()) return caller;
  const auto& metadata = context.client_metadata();
  const std::string key = ValueOf(metadata, kGatewayKey);
  if (!key.empty() && SameDigest(DigestOf(key), DigestOf(gateway_key_))) {
    const std::string name = ValueOf(metadata, kGatewayCaller);
    const DoorState& state = doors_[door->second];
    caller.address = ValueOf(metadata, kGatewayAddress);
    if (name.empty()) caller.principal = &state.anybody;
    for (const Known& known : state.callers) {
      if (known.options.name == name) caller.principal = &known.principal;
    }
    return caller;
  }
  caller.address = AddressOfPeer(context.peer());
  Presented presented;
  AddCertificate(*context.auth_context(), &presented);
  const auto [begin, end] = metadata.equal_range("authorization");
  if (begin != end) {
    presented.authorization = View(begin->second);
    presented.repeated = std::distance(begin, end) > 1;
  }
  caller.principal = Identify(door->second, presented).principal;
  // Where nobody has a name, nobody has another's.
  if (caller.principal != nullptr && caller.principal->role == v1::ROLE_ADMIN &&
      !caller.name().empty()) {
    caller.behalf = ValueOf(metadata, kBehalf);
    // What may not be in a name may not be in a log.
    if (!IsName(caller.behalf)) caller.behalf.clear();
  }
  return caller;
}

void Access::AddBehalf(const std::string& actor, grpc::ClientContext* context) {
  if (IsName(actor)) context->AddMetadata(kBehalf, actor);
}

std::vector<std::pair<std::string, std::string>> Access::OnBehalfOf(
    const Principal& principal, std::string_view address) const {
  return {{kGatewayKey, gateway_key_},
          {kGatewayCaller, principal.name},
          {kGatewayAddress, std::string(address)}};
}

void Access::AddMetrics(const metrics::Family& refused, const metrics::Family& file_failures,
                        metrics::Sink& sink) const {
  for (const Reason reason :
       {Reason::kNoCredentials, Reason::kBadCredentials, Reason::kRoleTooLow}) {
    sink.Add(refused, {{"reason", std::string(Name(reason))}},
             static_cast<double>(this->refused(reason).Value()));
  }
  sink.Add(file_failures, {}, static_cast<double>(file_failures_.Value()));
}

Caller CallerOf(const Access* access, const grpc::CallbackServerContext& context,
                std::string_view service) {
  static const Principal anybody;
  Caller caller{.principal = &anybody};
  if (access != nullptr) {
    caller = access->CallerOf(context, service);
  } else {
    caller.address = AddressOfPeer(context.peer());
  }
  caller.correlation_id = CorrelationIdOf(context);
  return caller;
}

}  // namespace spillway::rpc
