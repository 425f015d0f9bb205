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

// What becomes of what clients publish to a channel.
struct PublishTarget {
  std::string topic = {};         // that it is written to; empty: straight to the subscribers
  std::string event = "message";  // type of the event, without a topic
  std::string user_member = {};   // of its data, with who published it; empty: none
  bool durable() const { return !topic.empty(); }
};

// Who may publish to the channels of a rule.
struct PublishRule {
  ChannelAccess access = ChannelAccess::kAuthenticated;
  std::string allow = {};               // empty: as the rule's
  std::vector<std::string> roles = {};  // none: as the rule's; "*": none is needed
  PublishTarget target = {};
  Rate rate = {};  // of one user, to all its channels
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
  Rate subscribes = {};                     // of one user, to all its channels
  std::optional<PublishRule> publish = {};  // none: no client may
};

// Who may subscribe to what, and publish on what: the first rule whose pattern matches counts, and
// all that it asks for must hold. Where no rule matches nobody may publish. A pattern is for
// whoever may have each of its channels, by rules that let clients subscribe to patterns: of the
// rules that share channels with it, all up to the first that has all of them must do so. What is
// called `channel` here may be a pattern, too; the settings of one are those of that first rule.
// Immutable after Compile: usable from any thread. Owned by the composition root.
class ChannelPolicy {
 public:
  // What the policy needs of a client later on, so that its claims can be forgotten.
  class Grants {
   public:
    bool authenticated() const { return authenticated_; }

   private:
    friend class ChannelPolicy;
    struct Allowed {
      size_t gate;
      ChannelPattern pattern;
    };
    struct Lists {
      std::vector<Allowed> allowed;         // by `allow` templates
      std::vector<size_t> by_role;          // gates whose roles it has one of
      std::vector<ChannelPattern> granted;  // by the token's list
      std::vector<ChannelPattern> granted_publish;
    };
    bool authenticated_ = false;
    std::unique_ptr<const Lists> lists_;  // null: all are empty
  };
  struct Verdict {
    bool allowed = false;
    bool snapshot = false;
    Frequency frequency = Frequency::kHigh;
  };
  // How often one user may subscribe, or publish, to the channels of a rule.
  struct UserRate {
    size_t index = 0;  // among all that there are
    Rate rate = {};    // none: there is none for the channel
  };
  struct PublishVerdict {
    const PublishTarget* target = nullptr;  // null: it may not; lives as long as the policy
    std::string_view rest = {};  // of the channel, behind what the rule's pattern begins with
    UserRate rate = {};          // whether it may or not
  };

  // `unmatched`: for channels that no rule matches. InvalidArgument names the rule.
  static absl::StatusOr<ChannelPolicy> Compile(
      const std::vector<ChannelRule>& rules,
      ChannelAccess unmatched = ChannelAccess::kAuthenticated);

  Grants GrantsOf(ClientValues client) const;
  // Whether any rule looks at roles, at what the token lists.
  bool looks_at_roles() const { return looks_at_roles_; }
  bool looks_at_tokens_list() const { return looks_at_tokens_list_; }
  // Whether any rule lets clients publish.
  bool lets_publish() const { return lets_publish_; }
  Verdict Check(std::string_view channel, const Grants& grants) const;
  // `channel` is a valid name.
  PublishVerdict CheckPublish(std::string_view channel, const Grants& grants) const;
  UserRate RateOf(std::string_view channel) const;
  // Rates of rules.
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
  // What is asked of those who want to do one thing in a rule's channels.
  struct Gate {
    ChannelAccess access;
    bool publish;
    // As the gates' numbers are in Grants: a gate may ask for what another one does.
    std::optional<size_t> allow_by = {};
    std::optional<size_t> roles_by = {};
    std::optional<ChannelTemplate> allow = {};  // its own
    std::vector<std::string> roles = {};
  };
  struct Publishing {
    Gate gate;
    PublishTarget target;
    UserRate rate;
  };
  struct Rule {
    ChannelPattern pattern;
    Gate gate;
    bool patterns;
    bool snapshot;
    bool compress;
    Frequency frequency;
    bool fixed_frequency;
    ChannelSettings settings;
    UserRate subscribes;
    std::optional<Publishing> publish;
  };

  class Asked;

  // The rule that counts; of a pattern, the first that has all of its channels.
  std::optional<size_t> Find(const Asked& asked) const;
  static absl::StatusOr<Gate> MakeGate(size_t number, ChannelAccess access, bool publish,
                                       const std::string& allow,
                                       const std::vector<std::string>& roles);
  static absl::StatusOr<Publishing> MakePublishing(size_t number, const PublishRule& rule,
                                                   const Gate& subscribing);
  UserRate AddRate(const Rate& rate);
  static bool Admits(const Gate& gate, const Asked& asked, const Grants& grants);
  // Whether a gate lets the client have all that is asked for.
  static bool Allows(const Gate& gate, const Asked& asked, const Grants& grants);

  std::vector<Rule> rules_;
  size_t rates_ = 0;
  bool looks_at_roles_ = false;
  bool looks_at_tokens_list_ = false;
  bool lets_publish_ = false;
  Gate unmatched_{.access = ChannelAccess::kAuthenticated, .publish = false};
};

}  // namespace spillway::edge
