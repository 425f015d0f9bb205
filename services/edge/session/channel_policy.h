#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/channel/channel_pattern.h"
#include "services/edge/dialect/frequency.h"
#include "services/edge/frame/channel_traits.h"
#include "services/edge/session/channel_template.h"
#include "services/edge/session/rate.h"

namespace spillway::edge {

enum class ChannelAccess : uint8_t {
  kAnyone,         // also without a token
  kAuthenticated,  // clients with a valid token
  kServer,         // nobody by command
  kGranted,        // clients whose token lists the channel
};

struct ChannelRule {
  std::string pattern;
  ChannelAccess access = ChannelAccess::kAuthenticated;
  std::string allow = {};  // template of the patterns that a client may have; empty: all
  std::vector<std::string> roles = {};     // one of them is needed; none: it is not
  bool patterns = false;                   // clients may subscribe to patterns of these channels
  bool snapshot = false;                   // on subscribe, unless the client says otherwise
  bool compress = true;                    // for clients that negotiated it
  Frequency frequency = Frequency::kHigh;  // unless the client says otherwise
  bool fixed_frequency = false;            // no client may say otherwise
  ChannelSettings settings = {};
  Rate subscribes = {};  // of one user, to all its channels
};

// Who may subscribe to what: the first rule whose pattern matches counts, and all that it asks for
// must hold. A pattern is for whoever may have each of its channels, by rules that let clients
// subscribe to patterns: of the rules that share channels with it, all up to the first that has all
// of them must do so. What is called `channel` here may be a pattern, too; the settings of one are
// those of that first rule. Immutable after Compile: usable from any thread. Owned by the
// composition root.
class ChannelPolicy {
 public:
  // What the policy needs of a client later on, so that its claims can be forgotten.
  class Grants {
   public:
    bool authenticated() const { return authenticated_; }

   private:
    friend class ChannelPolicy;
    struct Allowed {
      size_t rule;
      ChannelPattern pattern;
    };
    struct Lists {
      std::vector<Allowed> allowed;         // by `allow` templates
      std::vector<size_t> by_role;          // rules whose roles it has one of
      std::vector<ChannelPattern> granted;  // by the token's list
    };
    bool authenticated_ = false;
    std::unique_ptr<const Lists> lists_;  // null: all are empty
  };
  struct Verdict {
    bool allowed = false;
    bool snapshot = false;
    Frequency frequency = Frequency::kHigh;
  };
  // How often one user may subscribe to the channels of a rule.
  struct SubscribeRate {
    size_t index = 0;  // among the rules that have one
    Rate rate = {};    // none: there is no such rule for the channel
  };

  // `unmatched`: for channels that no rule matches. InvalidArgument names the rule.
  static absl::StatusOr<ChannelPolicy> Compile(
      const std::vector<ChannelRule>& rules,
      ChannelAccess unmatched = ChannelAccess::kAuthenticated);

  Grants GrantsOf(ClientValues client) const;
  // Whether any rule looks at roles, at what the token lists.
  bool looks_at_roles() const { return looks_at_roles_; }
  bool looks_at_tokens_list() const { return looks_at_tokens_list_; }
  Verdict Check(std::string_view channel, const Grants& grants) const;
  SubscribeRate RateOf(std::string_view channel) const;
  // Rules that have a rate.
  size_t rates() const { return rates_; }
  // The settings, for channels that the endpoint subscribes to itself.
  bool SnapshotOf(std::string_view channel) const;
  // Whether the channel's messages may be compressed: of a pattern, by all rules with a say in it.
  bool CompressOf(std::string_view channel) const;
  Frequency FrequencyOf(std::string_view channel) const;
  // Whether a client may have the channel at this frequency: of a pattern likewise.
  bool MayHave(std::string_view channel, Frequency frequency) const;
  // How a slow client's connection treats the channel. Of a pattern, `ephemeral` is set if any
  // rule with a say in it has it.
  ChannelSettings SettingsOf(std::string_view channel) const;
  // The pattern of the rule that counts; empty: none matches. Lives as long as the policy.
  std::string_view PatternOf(std::string_view channel) const;

 private:
  struct Rule {
    ChannelPattern pattern;
    ChannelAccess access;
    std::optional<ChannelTemplate> allow;
    std::vector<std::string> roles;
    bool patterns;
    bool snapshot;
    bool compress;
    Frequency frequency;
    bool fixed_frequency;
    ChannelSettings settings;
    SubscribeRate subscribes;
  };

  class Asked;

  // The rule that counts; of a pattern, the first that has all of its channels.
  std::optional<size_t> Find(const Asked& asked) const;
  static bool Admits(ChannelAccess access, const Asked& asked, const Grants& grants);
  // Whether a rule lets the client have all that is asked for.
  bool Allows(size_t rule, const Asked& asked, const Grants& grants) const;

  std::vector<Rule> rules_;
  size_t rates_ = 0;
  bool looks_at_roles_ = false;
  bool looks_at_tokens_list_ = false;
  ChannelAccess unmatched_ = ChannelAccess::kAuthenticated;
};

}  // namespace spillway::edge
