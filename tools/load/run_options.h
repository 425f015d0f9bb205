#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace spillway::load {

// Where clients connect to. Plain data.
struct Target {
  bool tls = false;
  std::string host;  // host:port as the URL has it, for the Host header
  std::string name;  // the host alone, for TLS
  std::string path;  // path and query, with {i} and {token} in it
  sockaddr_storage address{};
  socklen_t address_size = 0;

  bool is_loopback() const;  // of IPv4
};

// ws://HOST:PORT/PATH or wss://...; a name is resolved, now. InvalidArgument says what is wrong.
absl::StatusOr<Target> ParseTarget(std::string_view url);

// Who publishes a stream.
enum class Via : uint8_t {
  kNone,       // nobody, or another process
  kKafka,      // records
  kDurable,    // the publish API, by Kafka
  kEphemeral,  // the publish API, straight to the edges
  kSocket,     // a client of the server, where the dialect can do that
};

// How a publication's channel (and key) is chosen.
enum class Pick : uint8_t { kTurn, kRandom, kZipf };

// Channels of one kind, who has them, and what is published to them. Plain data.
struct StreamOptions {
  std::string name = "load";
  std::string channel = "load:{n}";  // {n}: the channel's number, from 0 on
  uint32_t channels = 1;
  uint32_t per_client = 1;  // client i has channels (i * per_client + 0, 1, ...) modulo `channels`
  Via via = Via::kNone;
  std::string topic;
  int32_t partitions = 1;  // of the topic
  std::string header;      // name of a record header with the channel's name; empty: none
  double rate = 0;         // publications a second, all channels together; 0: as fast as can be
  uint64_t count = 0;      // publications; 0: as long as the run lasts
  double burst = 1;        // the rate is this many times higher
  double burst_at = 0;     // from this second of publishing on
  double burst_for = 0;    // for so many seconds
  size_t bytes = 128;      // of a payload; at least what its members need
  bool text = false;       // fill payloads with something like prices, not with one letter
  uint32_t spread = 1;     // partitions that a channel's records are divided among, by key
  uint32_t keys = 0;       // keys of each channel, as member "k" and in the record key; 0: none
  Pick pick = Pick::kTurn;

  // The channel that client `i` has as its j-th.
  uint32_t ChannelOf(uint64_t i, uint32_t j) const {
    return static_cast<uint32_t>((i * per_client + j) % channels);
  }
};

// "name=quotes,channel=quote:{n},channels=1000,rate=5000,..."; several are separated by ';'.
absl::StatusOr<std::vector<StreamOptions>> ParseStreams(std::string_view text);

enum class DeflateMode : uint8_t {
  kOff,      // not offered
  kCount,    // offered; compressed messages are counted and not looked into
  kInflate,  // offered; inflated, once for all clients that get the same bytes
};

// Everything about the clients. Plain data, not changed once workers run.
struct ClientOptions {
  std::vector<Target> targets;  // client i connects to the (i modulo size)-th
  std::string dialect = "json";
  size_t clients = 1;
  double connect_rate = 2000;   // connections a second; 0: as fast as max_unfinished lets them
  size_t max_unfinished = 256;  // handshakes under way at a time, all workers together
  // IPv4 addresses (host order) to connect from, in turn; empty: the system's choice.
  std::vector<uint32_t> sources;
  size_t workers = 1;    // threads
  size_t processes = 1;  // that share the workers
  std::vector<StreamOptions> streams;
  size_t publishers = 1;  // clients that publish, where streams are published by clients

  DeflateMode deflate = DeflateMode::kOff;
  std::string tls_ca;         // file with certificates to trust; empty: the system's
  bool tls_insecure = false;  // take any certificate
  bool tls_resume = true;     // offer the last session of the server

  std::string jwt_secret;  // HS256; empty: {token} is not replaced
  std::string jwt_claims;  // JSON with {i} in it

  double slow_share = 0;  // of the clients: they stop reading
  double slow_after = 0;  // seconds of publishing before they do
  double slow_for = 0;    // seconds that they do
  int slow_buffer = 0;    // bytes of their receive buffer; 0: as the system has it
  double churn = 0;       // connections a second that are closed and opened again
  double reconnect = 0;   // a lost connection is opened again within so many seconds; 0: never
  bool resume = false;    // what is opened again shows where it was, to the next target in turn
  // Every so many'th client asks for patterns, each of which matches one of its channels; 0: none.
  uint32_t patterns = 0;
  std::string journal;  // file name, but for the worker's number; empty: none is kept
  double cut_at = 0;    // seconds of publishing after which all connections are closed, once
  double cut_for = 0;   // seconds until they begin to come back; 0: no cut

  bool has_patterns(uint64_t i) const { return patterns > 0 && i % patterns == 0; }
  bool is_slow(uint64_t i) const {
    // Spread evenly: those at which i * share passes a whole number.
    return static_cast<uint64_t>(static_cast<double>(i + 1) * slow_share) >
           static_cast<uint64_t>(static_cast<double>(i) * slow_share);
  }
};

// Replaces every "{name}" by `value`.
std::string Replaced(std::string_view text, std::string_view name, std::string_view value);

}  // namespace spillway::load
