#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tools/load/run_options.h"

struct ssl_st;

namespace spillway::load {

// A non-blocking connection to a server, with or without TLS. Holds memory only for what could not
// be written. One thread.
class ClientSocket {
 public:
  enum class Status : uint8_t { kOk, kWait, kClosed };

  ClientSocket() = default;
  ~ClientSocket() { Close(); }
  ClientSocket(ClientSocket&& other) noexcept;
  ClientSocket& operator=(ClientSocket&&) = delete;

  // Begins to connect, from `source` (IPv4, host order) unless it is 0, with a receive buffer of
  // `buffer` bytes unless that is 0. False: errno says why not.
  bool Connect(const Target& target, uint32_t source, int buffer);
  // Reads the result of connecting: 0 or an errno.
  int ConnectError() const;
  void UseTls(ssl_st* ssl) { tls_ = ssl; }  // which is freed with it
  // kOk: TLS is up, or there is none.
  Status Handshake();

  // At most `size` bytes. kWait: there are none now; kOk: *got bytes, and *more is whether there
  // may be others.
  Status Read(char* data, size_t size, size_t* got, bool* more);
  // Writes what it can and keeps the rest, behind what it kept before.
  Status Write(std::string_view data);
  Status Flush();

  void Close();
  int fd() const { return fd_; }

 private:
  ssize_t Send(std::string_view data);  // bytes; 0: not now; negative: closed

  int fd_ = -1;
  ssl_st* tls_ = nullptr;
  std::unique_ptr<std::string> unwritten_;
};

}  // namespace spillway::load
