#include "services/edge/app/public_tls.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/certificates.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace spillway::edge {
namespace {

class PublicTlsTest : public ::testing::Test {
 protected:
  PublicTlsTest() { Write(first_); }

  static std::string ReadFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string MakeDir(const char* name) {
    const std::string path = dir_.path() + "/" + name;
    EXPECT_EQ(::mkdir(path.c_str(), 0700), 0);
    return path;
  }
  // Replaces the files that are used.
  void Write(const test::Certificates& from) {
    files_.cert = dir_.Write("cert.pem", ReadFile(from.server_cert()));
    files_.key = dir_.Write("key.pem", ReadFile(from.server_key()));
  }
  std::string Error() {
    const auto tls = PublicTls::Load(files_, {}, clock_);
    return tls.ok() ? "ok" : std::string(tls.status().message());
  }

  test::TempDir dir_;
  test::Certificates first_{MakeDir("first")};
  test::Certificates second_{MakeDir("second")};
  test::FakeClock clock_;
  rpc::TlsFiles files_;
};

TEST_F(PublicTlsTest, NamesTheFileThatIsWrong) {
  EXPECT_EQ(Error(), "ok");
  const std::string cert = files_.cert;
  files_.cert = dir_.path() + "/nowhere.pem";
  EXPECT_EQ(Error(), "cannot read the TLS certificate file '" + files_.cert +
                         "': No such file or directory");
  files_.cert = cert;
  files_.key = second_.server_key();
  EXPECT_EQ(Error(), "the TLS key file '" + files_.key + "' does not belong to the certificate '" +
                         files_.cert + "'");
  files_.key = dir_.Write("key.pem", "nonsense");
  EXPECT_EQ(Error(), "the TLS key file '" + files_.key + "' holds no unencrypted PEM private key");
}

TEST_F(PublicTlsTest, TakesChangedFilesOnceAMinute) {
  const auto loaded = PublicTls::Load(files_, {}, clock_);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  PublicTls& tls = **loaded;
  dir_.Write("key.pem", ReadFile(second_.server_key()));  // and the certificate is not there yet
  tls.Update();
  EXPECT_EQ(tls.reload_failures().Value(), 0u);
  clock_.Advance(PublicTls::kLookInterval);
  tls.Update();
  EXPECT_EQ(tls.reload_failures().Value(), 1u);
  tls.Update();
  EXPECT_EQ(tls.reload_failures().Value(), 1u);
  Write(second_);
  clock_.Advance(PublicTls::kLookInterval);
  tls.Update();
  EXPECT_EQ(tls.reload_failures().Value(), 1u);
  clock_.Advance(PublicTls::kLookInterval);
  tls.Update();  // nothing changed
  EXPECT_EQ(tls.reload_failures().Value(), 1u);
}

TEST_F(PublicTlsTest, AnExpiredCertificateIsServedAndWarnedAbout) {
  const auto before = PublicTls::Load(files_, {}, clock_);
  ASSERT_TRUE(before.ok());
  const double expires = (*before)->expires_seconds();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const double real = std::chrono::duration<double>(now).count();
  EXPECT_NEAR(expires, real + 24 * 3600, 60);
  ::testing::internal::CaptureStderr();
  clock_.ShiftWall(std::chrono::hours(24 * 366 * 100));
  EXPECT_EQ(Error(), "ok");
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("has expired"), std::string::npos);
}

}  // namespace
}  // namespace spillway::edge
