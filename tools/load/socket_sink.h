#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/load/client_socket.h"
#include "tools/load/dialect.h"
#include "tools/load/run_options.h"
#include "tools/load/sink.h"

namespace spillway::load {

// Publishes as a client of the server, where the dialect lets clients publish. What is written
// counts as confirmed: not every protocol answers.
class SocketSink final : public Sink {
 public:
  // Connects and says hello, within 5 s. Both must outlive it.
  static absl::StatusOr<std::unique_ptr<SocketSink>> Create(const ClientOptions& options,
                                                            const Dialect& dialect);

  bool Publish(const Publication& publication) override;
  void Flush() override;
  void Finish(std::chrono::seconds timeout) override;

 private:
  explicit SocketSink(const Dialect& dialect);
  absl::Status Connect(const ClientOptions& options);
  // Waits for bytes until there is `what` in all that came, or an error.
  absl::Status ReadUntil(std::string_view what);
  void Discard();  // what the server sends: it must not wait for us

  const Dialect& dialect_;
  ClientSocket socket_;
  std::string out_;
  std::string in_;
  bool broken_ = false;
};

}  // namespace spillway::load
