#include "services/edge/ws/extension.h"

#include "services/edge/frame/deflate.h"
#include "services/edge/ws/tokens.h"

namespace spillway::edge::ws {
namespace {

constexpr std::string_view kName = "permessage-deflate";
constexpr std::string_view kServerNoTakeover = "server_no_context_takeover";
constexpr std::string_view kClientNoTakeover = "client_no_context_takeover";
constexpr std::string_view kServerBits = "server_max_window_bits";
constexpr std::string_view kClientBits = "client_max_window_bits";

// 8 to 15 without leading zeros, perhaps quoted (section 5.1); 0 for anything else.
int WindowBits(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  if (value == "8" || value == "9") return value[0] - '0';
  if (value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5') {
    return 10 + value[1] - '0';
  }
  return 0;
}

std::optional<DeflateAgreement> JudgeOffer(std::string_view offer) {
  std::string_view part;
  NextPiece(&offer, ';', &part);
  if (!EqualsIgnoreCase(part, kName)) return std::nullopt;
  DeflateAgreement agreement;
  unsigned seen = 0;
  while (NextPiece(&offer, ';', &part)) {
    const size_t equals = part.find('=');
    const bool has_value = equals != std::string_view::npos;
    const std::string_view name = Trim(part.substr(0, equals));
    const std::string_view value = has_value ? Trim(part.substr(equals + 1)) : std::string_view();
    unsigned flag = 0;
    if (EqualsIgnoreCase(name, kServerNoTakeover)) {
      flag = 1;
      if (has_value) return std::nullopt;
    } else if (EqualsIgnoreCase(name, kClientNoTakeover)) {
      flag = 2;
      if (has_value) return std::nullopt;
    } else if (EqualsIgnoreCase(name, kServerBits)) {
      flag = 4;
      agreement.server_window_bits = WindowBits(value);
      agreement.server_bits_named = true;
      if (agreement.server_window_bits < Deflater::kMinWindowBits) return std::nullopt;
    } else if (EqualsIgnoreCase(name, kClientBits)) {
      // Only a hint that we may limit the client: our inflater reads every window.
      flag = 8;
      if (has_value && WindowBits(value) == 0) return std::nullopt;
    } else {
      return std::nullopt;
    }
    if ((seen & flag) != 0) return std::nullopt;
    seen |= flag;
  }
  return agreement;
}

}  // namespace

std::optional<DeflateAgreement> NegotiateDeflate(std::string_view offers) {
  for (std::string_view offer; NextPiece(&offers, ',', &offer);) {
    if (auto agreement = JudgeOffer(offer)) return agreement;
  }
  return std::nullopt;
}

std::string DeflateAnswer(const DeflateAgreement& agreement) {
  std::string answer(kName);
  for (const std::string_view parameter : {kServerNoTakeover, kClientNoTakeover}) {
    answer.append("; ").append(parameter);
  }
  if (agreement.server_bits_named) {
    answer.append("; ").append(kServerBits).append("=");
    answer += std::to_string(agreement.server_window_bits);
  }
  return answer;
}

}  // namespace spillway::edge::ws
