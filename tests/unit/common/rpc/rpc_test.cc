#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/rpc/credentials.h"
#include "common/rpc/status.h"
#include "common/rpc/tls.h"
#include "tests/support/certificates.h"

namespace spillway::rpc {
namespace {

using testing::HasSubstr;

TEST(StatusTest, EveryCodeThereAndBack) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "why");
    const grpc::Status there = ToGrpcStatus(status);
    EXPECT_EQ(there.error_code(), code);
    EXPECT_EQ(FromGrpcStatus(there), status);
  }
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
  EXPECT_EQ(ToGrpcStatus(absl::NotFoundError("x")).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST(CredentialsTest, ReadsBearerTokens) {
  EXPECT_EQ(BearerToken("Bearer abc"), "abc");
  EXPECT_EQ(BearerToken("bearer  abc "), "abc");
  EXPECT_EQ(BearerToken("Basic abc"), "");
  EXPECT_EQ(BearerToken("Bearer"), "");
  EXPECT_EQ(BearerToken("Bearer   "), "");
  EXPECT_EQ(BearerToken("Bearerabc"), "");
}

class TlsTest : public testing::Test {
 protected:
  std::string ErrorOf(const TlsFiles& files) {
    auto material = LoadTls(files);
    return material.ok() ? "" : std::string(material.status().message());
  }

  test::TempDir dir_;
  test::Certificates certs_{dir_.path()};
};

TEST_F(TlsTest, LoadsWhatBelongsTogether) {
  auto material = LoadTls({certs_.server_cert(), certs_.server_key(), certs_.ca()});
  ASSERT_TRUE(material.ok()) << material.status();
  EXPECT_THAT(material->cert, HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_THAT(material->key, HasSubstr("PRIVATE KEY"));
  EXPECT_FALSE(TlsFiles().enabled());
}

TEST_F(TlsTest, SaysWhatIsWrongWithWhichFile) {
  const std::string cert = certs_.server_cert();
  const std::string key = certs_.server_key();
  const std::string absent = dir_.path() + "/absent.pem";
  const std::string junk = dir_.Write("junk.pem", "junk");
  const std::string empty = dir_.Write("empty.pem", "");
  EXPECT_THAT(ErrorOf({cert, "", ""}), HasSubstr("only one is set"));
  EXPECT_THAT(ErrorOf({absent, key, ""}),
              AllOf(HasSubstr("cannot read the TLS certificate file"), HasSubstr("absent.pem"),
                    HasSubstr("No such file")));
  EXPECT_THAT(ErrorOf({cert, empty, ""}), HasSubstr("it is empty"));
  EXPECT_THAT(ErrorOf({junk, key, ""}), HasSubstr("holds no PEM certificate"));
  EXPECT_THAT(ErrorOf({cert, junk, ""}), HasSubstr("holds no unencrypted PEM private key"));
  EXPECT_THAT(ErrorOf({cert, certs_.client_key(), ""}), HasSubstr("does not belong"));
  EXPECT_THAT(ErrorOf({cert, key, junk}), HasSubstr("TLS CA file"));
}

}  // namespace
}  // namespace spillway::rpc
