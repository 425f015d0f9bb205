#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace spillway::edge {

class Session;

// The open sessions of one worker, by id, user and address: what the admin API works on. Belongs to
// the worker's thread; owned by the composition root, outlives the sessions, which it does not own.
class SessionRegistry {
 public:
  // A session's links to others of the same user or address.
  struct Links {
    Session* next = nullptr;
    Session* previous = nullptr;
  };

  // For sessions: when they open, when they are gone.
  void Add(Session* session);
  void Remove(Session* session);

  // Null if there is none.
  Session* Find(std::string_view connection_id) const;
  size_t size() const { return by_id_.size(); }
  size_t users() const { return by_user_.size(); }
  size_t CountOfUser(std::string_view user_id) const { return OfUser(user_id).size(); }
  size_t CountOfIp(std::string_view ip) const { return OfIp(ip).size(); }

  // All, of a user, of an address; in no order.
  std::vector<Session*> All() const;
  std::vector<Session*> OfUser(std::string_view user_id) const;
  std::vector<Session*> OfIp(std::string_view ip) const;

  // Close connections (Session::Close); return how many were told to end now.
  size_t CloseId(std::string_view connection_id, uint16_t code, std::string_view reason);
  size_t CloseUser(std::string_view user_id, uint16_t code, std::string_view reason);
  size_t CloseIp(std::string_view ip, uint16_t code, std::string_view reason);
  size_t CloseAll(uint16_t code, std::string_view reason);

 private:
  using Index = absl::flat_hash_map<std::string, Session*>;  // the first of a list
  using LinksOf = Links Session::*;

  static void Link(Index* index, const std::string& key, LinksOf links, Session* session);
  static void Unlink(Index* index, const std::string& key, LinksOf links, Session* session);
  static std::vector<Session*> ListOf(const Index& index, std::string_view key, LinksOf links);
  static size_t Close(const std::vector<Session*>& sessions, uint16_t code,
                      std::string_view reason);

  // Ids live in the sessions.
  absl::flat_hash_map<std::string_view, Session*, std::hash<std::string_view>> by_id_;
  Index by_user_;
  Index by_ip_;
};

}  // namespace spillway::edge
