#include "services/edge/ws/tokens.h"

namespace spillway::edge::ws {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
bool IsSpace(char c) { return c == ' ' || c == '\t'; }

}  // namespace

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

bool NextPiece(std::string_view* rest, char separator, std::string_view* piece) {
  if (rest->data() == nullptr) return false;
  const size_t end = rest->find(separator);
  *piece = Trim(rest->substr(0, end));
  *rest = end == std::string_view::npos ? std::string_view() : rest->substr(end + 1);
  return true;
}

}  // namespace spillway::edge::ws
