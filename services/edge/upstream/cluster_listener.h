#pragma once

#include <string_view>

#include "spillway/v1/link.pb.h"

namespace spillway::edge {

// What ingests tell that is not about events: who there is, and who is kept out. Called on the link
// thread; must not block.
class ClusterListener {
 public:
  virtual ~ClusterListener() = default;
  // A link has begun; and has ended. Between them what this ingest tells.
  virtual void OnIngest(const v1::IngestHello& hello) = 0;
  virtual void OnIngestGone(std::string_view node_id) = 0;
  virtual void OnMembership(std::string_view node_id, const v1::Membership& membership) = 0;
  virtual void OnControl(std::string_view node_id, const v1::Control& control) = 0;
};

}  // namespace spillway::edge
