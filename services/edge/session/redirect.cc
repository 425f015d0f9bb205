#include "services/edge/session/redirect.h"

#include "services/edge/session/close_codes.h"

namespace spillway::edge {

std::optional<AffinityNode> RedirectOf(const SessionIdentity& identity, bool redirected,
                                       SessionContext& context) {
  if (identity.affinity.empty() || context.affinity == nullptr) return std::nullopt;
  std::optional<AffinityNode> owner = context.affinity->OtherOwner(identity.affinity);
  if (!owner.has_value()) return std::nullopt;
  if (redirected) {
    context.counters.affinity_mismatches.Add();
    return std::nullopt;
  }
  context.counters.affinity_redirects.Add();
  return owner;
}

void Redirect(const Endpoint& endpoint, const AffinityNode& owner, SessionContext& context,
              Transport& transport) {
  Ref<Frame> frame = endpoint.dialect().EncodeRedirect(owner.node_id, owner.address);
  if (frame) {
    transport.Send(*frame, nullptr);
    context.keep(std::move(frame));
  }
  transport.Close(kClosePolicyViolation.code, "redirect");
}

}  // namespace spillway::edge
