#include "services/edge/ws/tls_server.h"

#include <openssl/x509.h>
#include <sys/stat.h>

#include "tests/unit/services/edge/ws/tls_peer.h"

namespace spillway::edge::ws {
namespace {

using std::chrono::hours;

class TlsServerTest : public TlsTest {
 protected:
  // The bytes that change hands are what makes the client's new ticket arrive.
  bool Resumes() {
    if (!Connect()) return false;
    const bool resumed = SSL_session_reused(peer_.ssl()) == 1;
    Write({"x"});
    peer_.Read();
    return resumed;
  }
};

TEST_F(TlsServerTest, ResumesSessionsByTickets) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_min_proto_version(peer_.context(), version);
    SSL_CTX_set_max_proto_version(peer_.context(), version);
    EXPECT_FALSE(Resumes());
    ASSERT_TRUE(peer_.has_ticket());
    EXPECT_TRUE(Resumes());
    EXPECT_TRUE(Resumes());
  }
  EXPECT_EQ(counters_.tls_handshakes.Value(), 6u);
  EXPECT_EQ(counters_.tls_resumptions.Value(), 4u);
}

TEST_F(TlsServerTest, TicketsOutliveACertificateAndNotTheServer) {
  EXPECT_FALSE(Resumes());
  ASSERT_TRUE(server_->Replace(Credentials()).ok());
  EXPECT_TRUE(Resumes());
  Restart({});
  EXPECT_FALSE(Resumes());  // and the client is served all the same
  EXPECT_TRUE(Resumes());
}

TEST_F(TlsServerTest, KeysAreRotated) {
  TicketKeys keys(clock_);
  const TicketKeys::Key first = keys.Current();
  clock_.Advance(TicketKeys::kRotation);
  const TicketKeys::Key second = keys.Current();
  EXPECT_NE(first.name, second.name);
  EXPECT_NE(first.cipher, second.cipher);
  ASSERT_TRUE(keys.Find(first.name.data()).has_value());
  EXPECT_EQ(keys.Find(first.name.data())->mac, first.mac);
  clock_.Advance(TicketKeys::kRotation);
  EXPECT_FALSE(keys.Find(first.name.data()).has_value());
  EXPECT_TRUE(keys.Find(second.name.data()).has_value());
  clock_.Advance(10 * TicketKeys::kRotation);
  EXPECT_FALSE(keys.Find(second.name.data()).has_value());

  EXPECT_FALSE(Resumes());
  clock_.Advance(TicketKeys::kRotation);
  EXPECT_TRUE(Resumes());  // and a ticket of the new key is given
  clock_.Advance(TicketKeys::kRotation);
  EXPECT_TRUE(Resumes());
  clock_.Advance(2 * TicketKeys::kRotation);
  EXPECT_FALSE(Resumes());
}

TEST_F(TlsServerTest, NewClientsGetTheNewCertificate) {
  ASSERT_TRUE(Connect());
  const std::string other_dir = dir_.path() + "/other";
  ASSERT_EQ(::mkdir(other_dir.c_str(), 0700), 0);
  const test::Certificates other(other_dir);
  const auto shown = [this] {
    unsigned char digest[32];
    const std::unique_ptr<X509, decltype(&X509_free)> cert(SSL_get1_peer_certificate(peer_.ssl()),
                                                           X509_free);
    X509_digest(cert.get(), EVP_sha256(), digest, nullptr);
    return std::string(reinterpret_cast<char*>(digest), sizeof digest);
  };
  const std::string before = shown();
  TlsCredentials mixed = Credentials();
  mixed.cert = ReadFile(other.server_cert());
  EXPECT_FALSE(server_->Replace(mixed).ok());
  ASSERT_TRUE(Connect());
  EXPECT_EQ(shown(), before);
  mixed.key = ReadFile(other.server_key());
  ASSERT_TRUE(server_->Replace(mixed).ok());
  Write({"to the old one"});
  EXPECT_EQ(peer_.Read(), "to the old one");
  peer_.ForgetTicket();
  ASSERT_TRUE(Connect());
  EXPECT_NE(shown(), before);
}

TEST_F(TlsServerTest, NamesWhatIsWrongWithCredentials) {
  const auto error = [this](const TlsCredentials& credentials) {
    return std::string(server_->Replace(credentials).message());
  };
  TlsCredentials credentials = Credentials();
  credentials.cert = "nonsense";
  EXPECT_EQ(error(credentials).find("the certificate is not PEM"), 0u) << error(credentials);
  credentials = Credentials();
  credentials.key = "nonsense";
  EXPECT_EQ(error(credentials).find("the key is not unencrypted PEM"), 0u) << error(credentials);
  credentials.key = ReadFile(certificates_.client_key());
  EXPECT_EQ(error(credentials).find("the key does not belong"), 0u) << error(credentials);
  credentials = Credentials();
  credentials.client_ca = "nonsense";
  EXPECT_EQ(error(credentials).find("the authorities of clients"), 0u) << error(credentials);
  EXPECT_EQ(ERR_peek_error(), 0u);
  EXPECT_TRUE(Connect());
}

TEST_F(TlsServerTest, KnowsWhenTheCertificateEnds) {
  const auto left = server_->expires() - WallTime::clock::now();
  EXPECT_GT(left, hours(23));
  EXPECT_LE(left, hours(24));
}

TEST_F(TlsServerTest, MayWantCertificatesOfClients) {
  TlsCredentials credentials = Credentials();
  credentials.client_ca = ReadFile(certificates_.ca());
  ASSERT_TRUE(server_->Replace(credentials).ok());
  EXPECT_FALSE(Connect());
  EXPECT_EQ(counters_.tls_failures.Value(), 1u);
  SSL_CTX_use_certificate_file(peer_.context(), certificates_.client_cert().c_str(),
                               SSL_FILETYPE_PEM);
  SSL_CTX_use_PrivateKey_file(peer_.context(), certificates_.client_key().c_str(),
                              SSL_FILETYPE_PEM);
  EXPECT_TRUE(Connect());
}

TEST_F(TlsServerTest, ChoosesHttp11) {
  const unsigned char offers[] = "\x02h2\x08http/1.1";
  SSL_CTX_set_alpn_protos(peer_.context(), offers, sizeof offers - 1);
  ASSERT_TRUE(Connect());
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(peer_.ssl(), &chosen, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), "http/1.1");
  SSL_CTX_set_alpn_protos(peer_.context(), offers, 3);
  EXPECT_TRUE(Connect());
}

}  // namespace
}  // namespace spillway::edge::ws
