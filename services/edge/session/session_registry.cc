#include "services/edge/session/session_registry.h"

#include "services/edge/session/session.h"

namespace spillway::edge {

std::string_view SessionRegistry::IdOf::operator()(const Session& session) const {
  return session.id();
}
std::string_view SessionRegistry::UserOf::operator()(const Session& session) const {
  return session.user_id();
}
std::string_view SessionRegistry::IpOf::operator()(const Session& session) const {
  return session.ip();
}

template <typename Index>
void SessionRegistry::Link(Index* index, std::string_view key, LinksOf links, Session* session) {
  if (key.empty()) return;
  (session->*links) = Links();
  const auto [first, fresh] = index->insert(session);
  if (fresh) return;
  // Behind the first, which the index names.
  Session* const head = *first;
  Session* const next = (head->*links).next;
  (session->*links).previous = head;
  (session->*links).next = next;
  (head->*links).next = session;
  if (next != nullptr) (next->*links).previous = session;
}

template <typename Index>
void SessionRegistry::Unlink(Index* index, std::string_view key, LinksOf links, Session* session) {
  if (key.empty()) return;
  Links& own = session->*links;
  if (own.next != nullptr) (own.next->*links).previous = own.previous;
  if (own.previous != nullptr) {
    (own.previous->*links).next = own.next;
  } else {
    index->erase(index->find(key));
    if (own.next != nullptr) index->insert(own.next);
  }
  own = Links();
}

template <typename Index>
std::vector<Session*> SessionRegistry::ListOf(const Index& index, std::string_view key,
                                              LinksOf links) {
  std::vector<Session*> sessions;
  const auto found = index.find(key);
  if (found == index.end()) return sessions;
  for (Session* session = *found; session != nullptr; session = (session->*links).next) {
    sessions.push_back(session);
  }
  return sessions;
}

void SessionRegistry::Add(Session* session) {
  by_id_.insert(session);
  Link(&by_user_, session->user_id(), &Session::user_links_, session);
  Link(&by_ip_, session->ip(), &Session::ip_links_, session);
}

void SessionRegistry::Remove(Session* session) {
  if (by_id_.erase(session->id()) == 0) return;
  Unlink(&by_user_, session->user_id(), &Session::user_links_, session);
  Unlink(&by_ip_, session->ip(), &Session::ip_links_, session);
}

Session* SessionRegistry::Find(std::string_view connection_id) const {
  const auto found = by_id_.find(connection_id);
  return found == by_id_.end() ? nullptr : *found;
}

std::vector<Session*> SessionRegistry::All() const { return {by_id_.begin(), by_id_.end()}; }

std::vector<Session*> SessionRegistry::OfUser(std::string_view user_id) const {
  return ListOf(by_user_, user_id, &Session::user_links_);
}

std::vector<Session*> SessionRegistry::OfIp(std::string_view ip) const {
  return ListOf(by_ip_, ip, &Session::ip_links_);
}

size_t SessionRegistry::Close(const std::vector<Session*>& sessions, uint16_t code,
                              std::string_view reason) {
  size_t closed = 0;
  for (Session* session : sessions) closed += session->Close(code, reason) ? 1 : 0;
  return closed;
}

size_t SessionRegistry::CloseId(std::string_view connection_id, uint16_t code,
                                std::string_view reason) {
  Session* session = Find(connection_id);
  return session != nullptr && session->Close(code, reason) ? 1 : 0;
}

size_t SessionRegistry::CloseUser(std::string_view user_id, uint16_t code,
                                  std::string_view reason) {
  return Close(OfUser(user_id), code, reason);
}

size_t SessionRegistry::CloseIp(std::string_view ip, uint16_t code, std::string_view reason) {
  return Close(OfIp(ip), code, reason);
}

size_t SessionRegistry::CloseAll(uint16_t code, std::string_view reason) {
  return Close(All(), code, reason);
}

}  // namespace spillway::edge
