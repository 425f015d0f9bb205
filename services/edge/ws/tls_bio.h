#pragma once

#include <openssl/ssl3.h>

#include <cstddef>
#include <string>
#include <string_view>

using BIO = struct bio_st;

namespace spillway::edge::ws {

// The most bytes that a TLS record carries.
inline constexpr size_t kMaxTlsRecord = SSL3_RT_MAX_PLAIN_LENGTH;

// The buffers that all TLS streams of a thread use, each for the time of one call.
struct TlsBuffers {
  static constexpr size_t kReceive = 48 * 1024;
  static constexpr size_t kSend = 64 * 1024;

  TlsBuffers() { output.reserve(kSend + 2 * kMaxTlsRecord); }

  char input[kReceive];       // records taken from the socket at once
  std::string_view unread;    // of it: what OpenSSL did not take yet
  std::string output;         // records to be sent; with kSend bytes or more, now
  char plain[kMaxTlsRecord];  // small pieces on their way into one record
};

TlsBuffers& ThreadTlsBuffers();

// Lets OpenSSL read and write the calling thread's buffers. A write takes everything, a read asks
// to come again when all was taken. Null without memory.
BIO* NewTlsBio();

}  // namespace spillway::edge::ws
