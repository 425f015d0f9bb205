// Lines of audit logs, as edges send them to an ingest: what it takes is written as it came, one
// line each, under one key.

#include <string>
#include <vector>

#include "fuzz/input.h"
#include "services/ingest/control/audit_service.h"
#include "services/ingest/control/audit_writer.h"

namespace ingest = spillway::ingest;
using spillway::fuzz::Require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spillway::fuzz::Input input(data, size);
  const uint8_t room = input.TakeByte();  // how many lines Kafka's client takes
  const std::string_view bytes = input.TakeRest();
  spillway::v1::WriteAuditRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return 0;
  if (!ingest::CheckAuditLines(request).ok()) return 0;
  Require(!request.node_id().empty(), "whose lines they are is known");
  std::vector<std::string> written;
  std::vector<ingest::Producer::Callback> waiting;
  ingest::AuditWriter writer(
      "audit",
      [&](const ingest::ProduceRequest& record, ingest::Producer::Callback done) -> absl::Status {
        if (written.size() >= room) return absl::ResourceExhaustedError("full");
        Require(record.topic == "audit" && record.key == request.node_id(), "its place");
        written.emplace_back(*record.value);
        waiting.push_back(std::move(done));
        return absl::OkStatus();
      },
      [] {});
  int answers = 0;
  const std::vector<std::string> lines(request.lines().begin(), request.lines().end());
  writer.Write(request.node_id(), lines, [&](const absl::Status& status) {
    ++answers;
    Require(status.ok() == (lines.size() <= room), "all lines, or a failure");
  });
  for (const auto& done : waiting) done(ingest::ProducedAt{});
  Require(answers == 1, "it is answered once");
  Require(written.size() == std::min<size_t>(lines.size(), room), "in order, up to the first");
  for (size_t i = 0; i < written.size(); ++i) {
    Require(written[i] == lines[i], "as it came");
    Require(written[i].find_first_of("\r\n") == std::string::npos, "one line");
    Require(written[i].starts_with('{') && written[i].ends_with('}'), "an object's form");
  }
  return 0;
}
