#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/edge/ws/tls_server.h"
#include "services/edge/ws/tls_stream.h"
#include "tests/support/certificates.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace spillway::edge::ws {

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// OpenSSL's own client on the other end of a socket pair. Nothing blocks.
class TlsPeer {
 public:
  TlsPeer() : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    SSL_CTX_set_session_cache_mode(context_.get(),
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_app_data(context_.get(), this);
    SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* ssl, SSL_SESSION* session) {
      auto* peer = static_cast<TlsPeer*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
      peer->session_.reset(session);
      return 1;
    });
  }
  ~TlsPeer() { Close(); }

  SSL_CTX* context() { return context_.get(); }
  SSL* ssl() { return ssl_.get(); }
  int fd() const { return fd_; }
  bool has_ticket() const { return session_ != nullptr; }
  void ForgetTicket() { session_.reset(); }

  // A new connection; returns the server's end. The ticket of the last one is offered again.
  int Connect(int server_send_buffer = 0) {
    Close();
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    if (server_send_buffer > 0) {
      ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &server_send_buffer, sizeof(int));
    }
    fd_ = ends[0];
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), fd_);
    SSL_set_connect_state(ssl_.get());
    if (session_ != nullptr) SSL_set_session(ssl_.get(), session_.get());
    return ends[1];
  }
  void Close() {
    // Without any close_notify OpenSSL's client gives the session up.
    if (ssl_ != nullptr) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN);
    ssl_.reset();
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  // One step; true once it is done.
  bool ShakeHands() {
    ERR_clear_error();
    return SSL_do_handshake(ssl_.get()) == 1;
  }
  bool Write(std::string_view bytes) {
    ERR_clear_error();
    return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
           static_cast<int>(bytes.size());
  }
  // All that is there; in `records` the size of each record, in `error` why there is no more.
  std::string Read(std::vector<size_t>* records = nullptr, int* error = nullptr) {
    std::string all;
    std::string buffer(32 * 1024, '\0');
    while (true) {
      ERR_clear_error();
      const int n = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
      if (n <= 0) {
        if (error != nullptr) *error = SSL_get_error(ssl_.get(), n);
        ERR_clear_error();
        return all;
      }
      if (records != nullptr) records->push_back(static_cast<size_t>(n));
      all.append(buffer, 0, static_cast<size_t>(n));
    }
  }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  struct FreeSession {
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  };
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  std::unique_ptr<SSL_SESSION, FreeSession> session_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  int fd_ = -1;
};

// A server, a client, and a connection between them.
class TlsTest : public ::testing::Test {
 protected:
  TlsTest() { Restart({}); }

  void Restart(const TlsServer::Options& options) {
    stream_.reset();
    auto server = TlsServer::Create(Credentials(), options, clock_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  TlsCredentials Credentials() const {
    return {.cert = ReadFile(certificates_.server_cert()),
            .key = ReadFile(certificates_.server_key()),
            .client_ca = {}};
  }

  // False: the handshake failed.
  bool Connect(int server_send_buffer = 0) {
    stream_ = server_->Accept(peer_.Connect(server_send_buffer), counters_);
    for (int i = 0; i < 10; ++i) {
      const bool done = peer_.ShakeHands();
      const IoResult result = ReadOnce();
      if (result.status == IoResult::Status::kError) return false;
      if (done) {
        peer_.Read();  // the tickets of TLS 1.3
        return true;
      }
    }
    return false;
  }

  IoResult ReadOnce() { return stream_->Read(buffer_.data(), buffer_.size()); }
  // All that the server gets while epoll would have it read.
  std::string ReadWhileReadable(IoResult* last = nullptr) {
    std::string all;
    pollfd polled{stream_->fd(), POLLIN, 0};
    while (::poll(&polled, 1, 0) == 1) {
      const IoResult result = ReadOnce();
      if (last != nullptr) *last = result;
      if (result.status == IoResult::Status::kEnd || result.status == IoResult::Status::kError) {
        break;
      }
      all.append(buffer_, 0, result.bytes);
    }
    return all;
  }
  IoResult Write(const std::vector<std::string_view>& pieces) {
    std::vector<iovec> described;
    for (const std::string_view piece : pieces) {
      described.push_back({const_cast<char*>(piece.data()), piece.size()});
    }
    return stream_->Write(described.data(), described.size());
  }

  test::TempDir dir_;
  test::Certificates certificates_{dir_.path()};
  test::FakeClock clock_;
  WorkerCounters counters_;
  std::string buffer_ = std::string(TlsStream::kLeastRead, '\0');
  std::unique_ptr<TlsServer> server_;
  TlsPeer peer_;
  std::unique_ptr<ByteStream> stream_;
};

}  // namespace spillway::edge::ws
