#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"

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
  using LinksOf = Links Session::*;

  // Sessions by what they hold themselves.
  template <typename KeyOf>
  struct By {
    struct Hash {
      using is_transparent = void;
      size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
      size_t operator()(const Session* session) const { return (*this)(KeyOf()(*session)); }
    };
    struct Equal {
      using is_transparent = void;
      bool operator()(const Session* a, std::string_view key) const { return KeyOf()(*a) == key; }
      bool operator()(const Session* a, const Session* b) const {
        return KeyOf()(*a) == KeyOf()(*b);
      }
    };
    using Set = absl::flat_hash_set<Session*, Hash, Equal>;
  };
  struct IdOf {
    std::string_view operator()(const Session& session) const;
  };
  struct UserOf {
    std::string_view operator()(const Session& session) const;
  };
  struct IpOf {
    std::string_view operator()(const Session& session) const;
  };

  template <typename Index>
  static void Link(Index* index, std::string_view key, LinksOf links, Session* session);
  template <typename Index>
  static void Unlink(Index* index, std::string_view key, LinksOf links, Session* session);
  template <typename Index>
  static std::vector<Session*> ListOf(const Index& index, std::string_view key, LinksOf links);
  static size_t Close(const std::vector<Session*>& sessions, uint16_t code,
                      std::string_view reason);

  By<IdOf>::Set by_id_;
  // The first of a list.
  By<UserOf>::Set by_user_;
  By<IpOf>::Set by_ip_;
};

}  // namespace spillway::edge
