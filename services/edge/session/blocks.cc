#include "services/edge/session/blocks.h"

#include <algorithm>

#include "absl/hash/hash.h"

namespace spillway::edge {

uint64_t Blocks::TokenId(std::string_view jti) {
  if (jti.empty()) return 0;
  const uint64_t hash = absl::Hash<std::string_view>()(jti);
  return hash == 0 ? 1 : hash;
}

void Blocks::Count() { live_.store(table_.live(), std::memory_order_release); }

Blocks::Merged Blocks::Merge(const v1::ControlEntry& entry) {
  MutexLock lock(mutex_);
  const WallTime now = clock_.WallNow();
  const Merged merged = table_.Merge(entry, now);
  if (merged == Merged::kFull) dropped_.Add();
  if (merged == Merged::kTaken && control::InForce(entry, now)) {
    Index(entry);
  } else if (merged == Merged::kTaken || merged == Merged::kOver) {
    Unindex(entry);
  }
  Count();
  return merged;
}

void Blocks::Index(const v1::ControlEntry& entry) {
  const Until until{.expires_us = entry.expires_us(), .before_us = entry.before_us()};
  switch (entry.kind()) {
    case v1::CONTROL_KIND_IP_BLOCK: {
      const auto network = IpNetwork::Parse(entry.subject());
      if (network.ok()) networks_[network->bits()][network->first()] = until;
      break;
    }
    case v1::CONTROL_KIND_USER_BLOCK:
      users_[entry.subject()] = until;
      break;
    case v1::CONTROL_KIND_TOKEN_REVOCATION:
      tokens_[TokenId(entry.subject())] = until;
      break;
    case v1::CONTROL_KIND_USER_TOKENS_REVOCATION:
      users_tokens_[entry.subject()] = until;
      break;
    default:
      break;
  }
}

void Blocks::Unindex(const v1::ControlEntry& entry) {
  switch (entry.kind()) {
    case v1::CONTROL_KIND_IP_BLOCK: {
      const auto network = IpNetwork::Parse(entry.subject());
      const auto length = network.ok() ? networks_.find(network->bits()) : networks_.end();
      if (length == networks_.end()) break;
      length->second.erase(network->first());
      if (length->second.empty()) networks_.erase(length);
      break;
    }
    case v1::CONTROL_KIND_USER_BLOCK:
      users_.erase(entry.subject());
      break;
    case v1::CONTROL_KIND_TOKEN_REVOCATION:
      tokens_.erase(TokenId(entry.subject()));
      break;
    case v1::CONTROL_KIND_USER_TOKENS_REVOCATION:
      users_tokens_.erase(entry.subject());
      break;
    default:
      break;
  }
}

void Blocks::Expire() {
  MutexLock lock(mutex_);
  for (const v1::ControlEntry& entry : table_.TakeEnded(clock_.WallNow())) Unindex(entry);
  Count();
}

std::optional<Blocks::Denial> Blocks::Deny(Kind kind, const Until& until) const {
  std::chrono::milliseconds left{0};
  if (until.expires_us != 0) {
    // Between its end and the next Expire().
    const int64_t left_us = until.expires_us - ToUnixMicros(clock_.WallNow());
    if (left_us <= 0) return std::nullopt;
    left = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::microseconds(left_us));
  }
  switch (kind) {
    case Kind::kIp:
      return Denial{kind, "ip_blocked", kCloseBlocked, left};
    case Kind::kUser:
      return Denial{kind, "user_blocked", kCloseBlocked, left};
    case Kind::kToken:
      break;
  }
  return Denial{kind, "token_revoked", kCloseTokenRevoked, left};
}

std::optional<Blocks::Denial> Blocks::IpDenial(std::string_view ip) const {
  if (networks_.empty()) return std::nullopt;
  const std::optional<IpAddress> address = IpAddress::Parse(ip);
  if (!address.has_value()) return std::nullopt;
  for (const auto& [bits, networks] : networks_) {
    const auto found = networks.find(address->Prefix(bits));
    if (found == networks.end()) continue;
    if (auto denial = Deny(Kind::kIp, found->second)) return denial;
  }
  return std::nullopt;
}

std::optional<Blocks::Denial> Blocks::CheckIp(std::string_view ip) const {
  if (live_.load(std::memory_order_acquire) == 0) return std::nullopt;
  MutexLock lock(mutex_);
  return IpDenial(ip);
}

std::optional<Blocks::Denial> Blocks::Check(const BlockSubject& subject) const {
  if (live_.load(std::memory_order_acquire) == 0) return std::nullopt;
  MutexLock lock(mutex_);
  if (auto denial = IpDenial(subject.ip)) return denial;
  if (!subject.user_id.empty()) {
    if (const auto found = users_.find(subject.user_id); found != users_.end()) {
      if (auto denial = Deny(Kind::kUser, found->second)) return denial;
    }
  }
  if (!subject.token) return std::nullopt;
  if (subject.token_id != 0) {
    if (const auto found = tokens_.find(subject.token_id); found != tokens_.end()) {
      if (auto denial = Deny(Kind::kToken, found->second)) return denial;
    }
  }
  // A token that does not say when it was issued counts as an old one.
  if (const auto found = users_tokens_.find(subject.user_id);
      found != users_tokens_.end() && subject.issued_us < found->second.before_us) {
    return Deny(Kind::kToken, found->second);
  }
  return std::nullopt;
}

std::vector<v1::ControlEntry> Blocks::List(std::optional<v1::ControlKind> kind,
                                           std::string_view after, size_t most) const {
  std::vector<std::pair<std::string, const v1::ControlEntry*>> found;
  std::vector<v1::ControlEntry> entries;
  MutexLock lock(mutex_);
  const WallTime now = clock_.WallNow();
  table_.ForEach([&](const v1::ControlEntry& entry) {
    if (!control::InForce(entry, now) || (kind.has_value() && entry.kind() != *kind)) return;
    std::string key = control::KeyOf(entry);
    if (key > after) found.emplace_back(std::move(key), &entry);
  });
  const size_t count = std::min(most, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<ptrdiff_t>(count), found.end());
  for (size_t i = 0; i < count; ++i) entries.push_back(*found[i].second);
  return entries;
}

int64_t Blocks::IssuedUs(v1::ControlKind kind, std::string_view subject) const {
  MutexLock lock(mutex_);
  const v1::ControlEntry* entry = table_.Find(kind, subject);
  return entry == nullptr ? 0 : entry->issued_us();
}

std::optional<v1::ControlEntry> Blocks::Find(v1::ControlKind kind, std::string_view subject) const {
  MutexLock lock(mutex_);
  const v1::ControlEntry* entry = table_.Find(kind, subject);
  if (entry == nullptr || !control::InForce(*entry, clock_.WallNow())) return std::nullopt;
  return *entry;
}

}  // namespace spillway::edge
