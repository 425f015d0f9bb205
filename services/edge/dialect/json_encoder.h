#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/edge/dialect/dialect.h"
#include "services/edge/dialect/json_commands.h"
#include "services/edge/dialect/json_envelope.h"

namespace spillway::edge {

// The JSON dialect (docs/protocol-json.md) in the shape of one envelope. A frame costs one
// allocation, its own: text is put together in a buffer that each thread keeps. Immutable; owned by
// the composition root, outlives the VariantTable.
class JsonEncoder final : public Dialect {
 public:
  static constexpr std::string_view kProtocol = "json.v1";

  JsonEncoder(JsonEnvelope envelope, JsonCommandLimits limits);

  // EventEncoder.
  Ref<Frame> EncodeEvent(const EdgeEvent& event, size_t channel) const override;
  Ref<Frame> EncodeCheckpoint(std::string_view channel,
                              const std::vector<PositionEntry>& position) const override;
  Ref<Frame> EncodeJoined(std::string_view channel, const PositionEntry& entry) const override;
  Ref<Frame> EncodeGap(std::string_view channel, const GapInfo& gap) const override;
  Ref<Frame> EncodeEphemeralGap(std::string_view channel) const override;

  // Dialect.
  std::string_view name() const override { return kProtocol; }
  bool has_snapshots() const override;
  Ref<Frame> EncodeConnected(const ConnectedInfo& info) const override;
  Ref<Frame> EncodeSubscribed(const SubscribedInfo& info) const override;
  Ref<Frame> EncodeUpdated(std::optional<int64_t> id, std::string_view channel,
                           Frequency frequency) const override;
  Ref<Frame> EncodeUnsubscribed(std::optional<int64_t> id, std::string_view channel) const override;
  void EncodeSnapshot(const SnapshotInfo& info, std::vector<Ref<Frame>>* out) const override;
  Ref<Frame> EncodePublished(const PublishedInfo& info) const override;
  Ref<Frame> EncodeError(const ErrorInfo& error) const override;
  Ref<Frame> EncodeRefreshed(std::optional<int64_t> id,
                             std::optional<int64_t> expires_ms) const override;
  Ref<Frame> EncodeExpiring(int64_t expires_ms) const override;
  Ref<Frame> EncodeMoving(int64_t within_ms, std::string_view address) const override;
  Ref<Frame> EncodeStaying() const override;
  Ref<Frame> EncodeRedirect(std::string_view node, std::string_view address) const override;
  Ref<Frame> EncodeClosing(std::optional<int64_t> after_ms) const override;
  Ref<Frame> EncodePing(int64_t now_ms) const override;
  Ref<Frame> EncodePong(std::optional<int64_t> id, int64_t now_ms) const override;
  bool Parse(std::string_view message, bool text, Command* command,
             ParseFailure* failure) const override;

 private:
  const JsonEnvelope envelope_;
  const JsonCommandLimits limits_;
};

}  // namespace spillway::edge
