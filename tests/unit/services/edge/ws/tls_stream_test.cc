#include "services/edge/ws/tls_stream.h"

#include <openssl/evp.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "tests/unit/services/edge/ws/tls_peer.h"

namespace spillway::edge::ws {
namespace {

using Status = IoResult::Status;

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 23 + i / 1000 % 3);
  return text;
}

using TlsStreamTest = TlsTest;

TEST_F(TlsStreamTest, CarriesBytesBothWays) {
  ASSERT_TRUE(Connect());
  EXPECT_EQ(counters_.tls_handshakes.Value(), 1u);
  EXPECT_EQ(ReadOnce().status, Status::kWouldBlock);
  ASSERT_TRUE(peer_.Write("hello"));
  EXPECT_EQ(ReadWhileReadable(), "hello");
  EXPECT_EQ(Write({"wel", "", "come"}).bytes, 7u);
  EXPECT_EQ(peer_.Read(), "welcome");
}

TEST_F(TlsStreamTest, SpeaksBothVersionsAndNoOlderOne) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_min_proto_version(peer_.context(), version);
    SSL_CTX_set_max_proto_version(peer_.context(), version);
    ASSERT_TRUE(Connect()) << version;
    EXPECT_EQ(SSL_version(peer_.ssl()), version);
    EXPECT_EQ(Write({"x"}).bytes, 1u);
    EXPECT_EQ(peer_.Read(), "x");
  }
  SSL_CTX_set_min_proto_version(peer_.context(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(peer_.context(), TLS1_1_VERSION);
  SSL_CTX_set_cipher_list(peer_.context(), "ALL:@SECLEVEL=0");
  EXPECT_FALSE(Connect());
  EXPECT_EQ(counters_.tls_failures.Value(), 1u);
}

TEST_F(TlsStreamTest, GathersSmallPiecesIntoOneRecord) {
  ASSERT_TRUE(Connect());
  const std::string small(100, 's');
  const std::vector<std::string_view> pieces(1000, small);
  EXPECT_EQ(Write(pieces).bytes, 100'000u);
  std::vector<size_t> records;
  EXPECT_EQ(peer_.Read(&records).size(), 100'000u);
  EXPECT_EQ(records, (std::vector<size_t>{16384, 16384, 16384, 16384, 16384, 16384, 1696}));
}

// The caller drops, of what was not taken, all but the piece that was taken in part; the rest of
// that one may come alone, with others, or at another address.
TEST_F(TlsStreamTest, WhatTheSocketDoesNotTakeLeavesFirstAndOnce) {
  ASSERT_TRUE(Connect(8 * 1024));
  std::mt19937 random(7);
  const std::string text = Pattern(3'000'000);
  std::string received;
  size_t given = 0;
  int stalls = 0;
  while (given < text.size()) {
    std::vector<std::string> copies;
    size_t at = given;
    while (at < text.size() && copies.size() < 40) {
      const size_t size = std::min<size_t>(text.size() - at, 1 + random() % 40'000);
      copies.push_back(text.substr(at, size));
      at += size;
    }
    const IoResult result = Write({copies.begin(), copies.end()});
    ASSERT_NE(result.status, Status::kError);
    EXPECT_EQ(result.bytes > 0, result.status == Status::kOk);
    given += result.bytes;
    if (given < at) {
      ++stalls;
      EXPECT_TRUE(stream_->wants_write());
      if (random() % 2 == 0) {
        EXPECT_EQ(Write({text.substr(given, 1)}).status, Status::kWouldBlock);
      }
    }
    received += peer_.Read();
  }
  received += peer_.Read();
  EXPECT_FALSE(stream_->wants_write());  // all was reported as taken
  EXPECT_GT(stalls, 10);
  EXPECT_TRUE(received == text);
}

TEST_F(TlsStreamTest, APieceTakenInPartMayBeFollowedByAnother) {
  ASSERT_TRUE(Connect(8 * 1024));
  const std::string first(200'000, '1');
  const std::string dropped(1000, 'x');
  const std::string other(1000, '2');
  IoResult result = Write({first, dropped});
  ASSERT_LT(result.bytes, first.size());
  size_t sent = result.bytes;
  std::string received;
  while (sent < first.size() + other.size()) {
    received += peer_.Read();
    std::vector<std::string_view> rest;
    if (sent < first.size()) rest.push_back(std::string_view(first).substr(sent));
    rest.push_back(std::string_view(other).substr(sent < first.size() ? 0 : sent - first.size()));
    sent += Write(rest).bytes;
  }
  received += peer_.Read();
  EXPECT_EQ(received, first + other);
}

TEST_F(TlsStreamTest, NothingDecryptedWaitsWhereEpollDoesNotSeeIt) {
  ASSERT_TRUE(Connect());
  std::string sent;
  for (const size_t size : {1u, 16384u, 20'000u, 5u, 40'000u, 16384u, 16383u}) {
    const std::string text = Pattern(size);
    ASSERT_TRUE(peer_.Write(text));
    sent += text;
  }
  EXPECT_TRUE(ReadWhileReadable() == sent);
}

TEST_F(TlsStreamTest, RecordsMayComeInAnyPieces) {
  ASSERT_TRUE(Connect());
  BIO* const wire = BIO_new(BIO_s_mem());
  BIO_up_ref(wire);
  SSL_set0_wbio(peer_.ssl(), wire);
  std::string sent;
  for (const size_t size : {3u, 17'000u, 10u}) {
    sent += Pattern(size);
    ASSERT_TRUE(peer_.Write(Pattern(size)));
  }
  char* bytes = nullptr;
  const auto size = static_cast<size_t>(BIO_get_mem_data(wire, &bytes));
  std::mt19937 random(3);
  std::string received;
  for (size_t at = 0; at < size;) {
    const size_t part = std::min<size_t>(size - at, 1 + random() % 50);
    ASSERT_EQ(::send(peer_.fd(), bytes + at, part, 0), static_cast<ssize_t>(part));
    at += part;
    received += ReadWhileReadable();
  }
  BIO_free(wire);
  EXPECT_TRUE(received == sent);
}

TEST_F(TlsStreamTest, ErrorsThatOthersLeftInOpensslAreTheirs) {
  ASSERT_TRUE(Connect());
  const auto leave_an_error = [] { EVP_PKEY_CTX_ctrl_str(nullptr, "x", "y"); };
  leave_an_error();
  ASSERT_NE(ERR_peek_error(), 0u);
  EXPECT_EQ(ReadOnce().status, Status::kWouldBlock);
  ASSERT_TRUE(peer_.Write("a"));
  leave_an_error();
  EXPECT_EQ(ReadWhileReadable(), "a");
  leave_an_error();
  EXPECT_EQ(Write({"b"}).bytes, 1u);
}

TEST_F(TlsStreamTest, KeysMayBeUpdatedAndSessionsNotRenegotiated) {
  ASSERT_TRUE(Connect());
  ASSERT_EQ(SSL_key_update(peer_.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
  ASSERT_TRUE(peer_.Write("after"));
  EXPECT_EQ(ReadWhileReadable(), "after");
  EXPECT_EQ(Write({"too"}).bytes, 3u);
  EXPECT_EQ(peer_.Read(), "too");

  SSL_CTX_set_max_proto_version(peer_.context(), TLS1_2_VERSION);
  ASSERT_TRUE(Connect());
  ASSERT_EQ(SSL_renegotiate(peer_.ssl()), 1);
  peer_.ShakeHands();
  ReadWhileReadable();
  EXPECT_FALSE(peer_.ShakeHands());
  EXPECT_EQ(counters_.tls_handshakes.Value(), 2u);
}

TEST_F(TlsStreamTest, AClientMayAskForSmallRecords) {
  SSL_CTX_set_tlsext_max_fragment_length(peer_.context(), TLSEXT_max_fragment_length_512);
  ASSERT_TRUE(Connect());
  EXPECT_EQ(Write({Pattern(5000)}).bytes, 5000u);
  std::vector<size_t> records;
  EXPECT_EQ(peer_.Read(&records), Pattern(5000));
  EXPECT_EQ(*std::max_element(records.begin(), records.end()), 512u);
}

TEST_F(TlsStreamTest, APeerThatNeverReadsCannotMakeItHoldMore) {
  ASSERT_TRUE(Connect(4 * 1024));
  const std::string large(400'000, 'x');
  ASSERT_EQ(Write({large}).status, Status::kOk);
  IoResult result;
  for (int i = 0; i < 5000 && result.status != Status::kError; ++i) {
    SSL_key_update(peer_.ssl(), SSL_KEY_UPDATE_REQUESTED);  // each is to be answered
    if (!peer_.Write("x")) break;
    ReadWhileReadable(&result);
  }
  EXPECT_EQ(result.status, Status::kError);
}

TEST_F(TlsStreamTest, TheEndIsToldAfterTheLastBytes) {
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(peer_.Write("last"));
  SSL_shutdown(peer_.ssl());  // and the socket stays open
  IoResult last;
  EXPECT_EQ(ReadWhileReadable(&last), "last");
  EXPECT_EQ(last.status, Status::kEnd);
  EXPECT_EQ(Write({"still"}).bytes, 5u);  // half-closed, as TCP can be
  EXPECT_EQ(peer_.Read(), "still");

  ASSERT_TRUE(Connect());
  ASSERT_TRUE(peer_.Write("cut"));
  peer_.Close();
  EXPECT_EQ(ReadWhileReadable(&last), "cut");
  EXPECT_EQ(last.status, Status::kEnd);
}

TEST_F(TlsStreamTest, SaysGoodbye) {
  ASSERT_TRUE(Connect());
  EXPECT_EQ(Write({"bye"}).bytes, 3u);
  stream_->ShutdownWrite();
  int error = 0;
  EXPECT_EQ(peer_.Read(nullptr, &error), "bye");
  EXPECT_EQ(error, SSL_ERROR_ZERO_RETURN);
  ASSERT_TRUE(peer_.Write("late"));
  EXPECT_EQ(ReadWhileReadable(), "late");

  ASSERT_TRUE(Connect());
  stream_.reset();
  peer_.Read(nullptr, &error);
  EXPECT_EQ(error, SSL_ERROR_ZERO_RETURN);
}

TEST_F(TlsStreamTest, WhatIsNoTlsFails) {
  for (const std::string_view bytes :
       {std::string_view("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        std::string_view("\0\1\2rubbish", 10), std::string_view("\x16\x03\x01\xff\xff", 5)}) {
    stream_ = server_->Accept(peer_.Connect(), counters_);
    ASSERT_EQ(::send(peer_.fd(), bytes.data(), bytes.size(), 0), std::ssize(bytes));
    IoResult last;
    ReadWhileReadable(&last);
    EXPECT_EQ(last.status, Status::kError);
    EXPECT_EQ(ReadOnce().status, Status::kError);
    EXPECT_EQ(Write({"x"}).status, Status::kError);
    EXPECT_EQ(ERR_peek_error(), 0u);
  }
  EXPECT_EQ(counters_.tls_failures.Value(), 3u);
  EXPECT_EQ(counters_.tls_handshakes.Value(), 0u);
}

TEST_F(TlsStreamTest, ForgedRecordsFail) {
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(peer_.Write("good"));
  const std::string forged("\x17\x03\x03\x00\x20" + std::string(32, 'f'));
  ASSERT_EQ(::send(peer_.fd(), forged.data(), forged.size(), 0), std::ssize(forged));
  IoResult last;
  EXPECT_EQ(ReadWhileReadable(&last), "good");
  EXPECT_EQ(last.status, Status::kError);
}

TEST_F(TlsStreamTest, WithTheKernelsTlsMissingItIsDoneHere) {
  TlsServer::Options options;
  options.kernel = true;  // a socket pair never has it
  Restart(options);
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(peer_.Write("hello"));
  EXPECT_EQ(ReadWhileReadable(), "hello");
  const std::string text = Pattern(100'000);
  EXPECT_EQ(Write({text}).bytes, text.size());
  EXPECT_EQ(peer_.Read(), text);
}

}  // namespace
}  // namespace spillway::edge::ws
