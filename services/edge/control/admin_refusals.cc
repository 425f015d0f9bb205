#include "services/edge/control/admin_refusals.h"

#include <chrono>
#include <string>
#include <utility>

namespace spillway::edge {

void AdminRefusals::OnRefused(const rpc::Access::Refusal& refusal) {
  if (!events_.wanted(v1::EVENT_CATEGORY_ADMIN)) return;
  static const Rate rate = Rate::Of(kPerSecond, std::chrono::seconds(1), 0);
  if (!told_.Take(clock_.Now(), rate)) return;
  v1::NodeEvent event;
  event.set_category(v1::EVENT_CATEGORY_ADMIN);
  event.set_kind("admin_refused");
  event.set_actor(std::string(refusal.caller));
  event.set_ip(std::string(refusal.address));
  event.set_action(std::string(refusal.method.substr(refusal.method.rfind('/') + 1)));
  event.set_outcome(std::string(rpc::Access::Name(refusal.reason)));
  events_.Publish(std::move(event));
}

}  // namespace spillway::edge
