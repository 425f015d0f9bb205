#include "services/edge/ws/tls_bio.h"

#include <openssl/bio.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace spillway::edge::ws {
namespace {

int Read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  std::string_view& unread = ThreadTlsBuffers().unread;
  if (unread.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t taken = std::min(unread.size(), static_cast<size_t>(size));
  std::memcpy(data, unread.data(), taken);
  unread.remove_prefix(taken);
  return static_cast<int>(taken);
}

int Write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  ThreadTlsBuffers().output.append(data, static_cast<size_t>(size));
  return size;
}

long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* Method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "spillway");
    BIO_meth_set_read(made, Read);
    BIO_meth_set_write(made, Write);
    BIO_meth_set_ctrl(made, Control);
    return made;
  }();
  return method;
}

}  // namespace

TlsBuffers& ThreadTlsBuffers() {
  thread_local const auto buffers = std::make_unique<TlsBuffers>();
  // LLVM 14 takes the end of the function for the end of what is thread_local.
  return *buffers;  // NOLINT(clang-analyzer-cplusplus.NewDelete)
}

BIO* NewTlsBio() {
  BIO* const bio = BIO_new(Method());
  if (bio != nullptr) BIO_set_init(bio, 1);
  return bio;
}

}  // namespace spillway::edge::ws
