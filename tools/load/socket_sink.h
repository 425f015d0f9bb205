#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/load/client_socket.h"
#include "tools/load/dialect.h"
#include "tools/load/run_options.h"
#include "tools/load/sink.h"

namespace spillway::load {

// Publishes as clients of the server, where the dialect lets clients publish; what goes to one
// channel goes by the same of them. A thread of its own reads what the server sends. Where the
// protocol does not answer publications, what is written counts as confirmed.
class SocketSink final : public Sink {
 public:
  // Connects options.publishers clients, who say hello, within 5 s each. Both must outlive it.
  static absl::StatusOr<std::unique_ptr<SocketSink>> Create(const ClientOptions& options,
                                                            const Dialect& dialect);
  ~SocketSink() override;

  bool Publish(const Publication& publication) override;
  void Flush() override;
  void Finish(std::chrono::seconds timeout) override;

 private:
  // One client.
  struct Line {
    ClientSocket socket;
    std::string out;  // publisher's thread
    std::string in;   // reader's, once it runs
    std::atomic<bool> broken{false};
    std::atomic<bool> ping{false};  // wants a pong
    std::atomic<uint64_t> sent{0};
    std::atomic<uint64_t> answered{0};
  };

  explicit SocketSink(const Dialect& dialect) : dialect_(dialect) {}
  static absl::Status Connect(const ClientOptions& options, const Dialect& dialect, size_t number,
                              Line* line);
  static void Write(Line& line);
  void ReadAll();
  void Read(Line& line);
  void OnMessage(Line& line, std::string_view message);
  // Nothing more will be answered.
  bool all_settled() const;

  const Dialect& dialect_;
  std::vector<std::unique_ptr<Line>> lines_;
  bool told_ = false;  // reader's thread: of an error
  std::atomic<bool> stop_{false};
  std::thread reader_;
};

}  // namespace spillway::load
