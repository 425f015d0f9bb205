#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/ingest/normalise/json_document.h"
#include "services/ingest/normalise/route_table.h"
#include "services/ingest/normalise/string_pool.h"
#include "services/ingest/normalise/types.h"

namespace spillway::ingest {

// Makes events of records. Pure: the same route and record give the same events.
//
// A tombstone (null value) becomes a tombstone event for every emit with a snapshot whose channels
// and key need no JSON pointer; conditions on the value count as true, since removing what is not
// there does no harm.
//
// One for each shard, on its thread. Keeps its memory from record to record: in steady traffic a
// record whose value is sent whole costs no allocation.
class Normaliser {
 public:
  // The result holds until the next call, and as long as `record`'s bytes and the route live.
  NormaliseResult Normalise(const CompiledRoute& route, const RecordInput& record);

 private:
  struct Payload {
    std::string_view bytes;
    int encoding = 0;
  };

  NormaliseResult Reject(RejectReason reason, std::string_view detail);
  // False with a rejection in `result`.
  bool Decode(const CompiledRoute& route, std::string_view value, Payload& whole,
              NormaliseResult& result);
  size_t TotalBytes() const;
  bool Emit(const EmitPlan& emit, const CompiledRoute& route, const RecordContext& context,
            const Payload& whole, NormaliseResult& result);
  bool RenderChannels(const EmitPlan& emit, const RecordContext& context, wire::EventView& event,
                      NormaliseResult& result);
  bool RenderMetadata(const EmitPlan& emit, const RecordContext& context, wire::EventView& event,
                      NormaliseResult& result);
  bool WritePayload(const EmitPlan& emit, const CompiledRoute& route, const RecordContext& context,
                    const Payload& whole, wire::EventView& event, NormaliseResult& result);
  bool IsFed(std::string_view channel, const wire::EventView& event) const;
  // A template's text, copied only if it is put together from pieces.
  bool Render(const TextTemplate& text, const RecordContext& context, std::string_view& out,
              std::string_view* missing);

  JsonDocument json_;
  StringPool pool_;
  std::vector<NormalisedEvent> events_;  // the first used_ count
  size_t used_ = 0;
};

}  // namespace spillway::ingest
