#include "services/edge/session/session_registry.h"

#include "common/base/strings.h"
#include "services/edge/session/session.h"

namespace spillway::edge {

void SessionRegistry::Link(Index* index, const std::string& key, LinksOf links, Session* session) {
  if (key.empty()) return;
  Session*& first = (*index)[key];
  (session->*links).next = first;
  (session->*links).previous = nullptr;
  if (first != nullptr) (first->*links).previous = session;
  first = session;
}

void SessionRegistry::Unlink(Index* index, const std::string& key, LinksOf links,
                             Session* session) {
  if (key.empty()) return;
  Links& own = session->*links;
  if (own.next != nullptr) (own.next->*links).previous = own.previous;
  if (own.previous != nullptr) {
    (own.previous->*links).next = own.next;
  } else if (own.next != nullptr) {
    (*index)[key] = own.next;
  } else {
    index->erase(key);
  }
  own = Links();
}

std::vector<Session*> SessionRegistry::ListOf(const Index& index, std::string_view key,
                                              LinksOf links) {
  std::vector<Session*> sessions;
  const auto found = index.find(Abs(key));
  if (found == index.end()) return sessions;
  for (Session* session = found->second; session != nullptr; session = (session->*links).next) {
    sessions.push_back(session);
  }
  return sessions;
}

void SessionRegistry::Add(Session* session) {
  by_id_.emplace(session->id(), session);
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
  return found == by_id_.end() ? nullptr : found->second;
}

std::vector<Session*> SessionRegistry::All() const {
  std::vector<Session*> sessions;
  sessions.reserve(by_id_.size());
  for (const auto& [id, session] : by_id_) sessions.push_back(session);
  return sessions;
}

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
