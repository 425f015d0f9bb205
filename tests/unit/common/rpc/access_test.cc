#include "common/rpc/access.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/roles.h"
#include "spillway/v1/admin.pb.h"
#include "spillway/v1/audit.pb.h"
#include "spillway/v1/control_service.pb.h"
#include "spillway/v1/link.pb.h"
#include "spillway/v1/publish.pb.h"
#include "spillway/v1/read.pb.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace spillway::rpc {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kGetStats[] = "/spillway.v1.AdminService/GetStats";
constexpr char kDisconnect[] = "/spillway.v1.AdminService/Disconnect";
constexpr char kBlockUser[] = "/spillway.v1.AdminService/BlockUser";

// The generated code of all of them is linked in.
void LinkIn() {
  (void)v1::GetStatsRequest::descriptor();
  (void)v1::WriteAuditRequest::descriptor();
  (void)v1::WriteControlRequest::descriptor();
  (void)v1::LinkRequest::descriptor();
  (void)v1::PublishRequest::descriptor();
  (void)v1::SnapshotRequest::descriptor();
}

TEST(RolesTest, EveryMethodOfEveryServiceSaysWhatItNeeds) {
  LinkIn();
  int methods = 0;
  const std::string folder = std::string(SPILLWAY_SOURCE_DIR) + "/proto/spillway/v1";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = "spillway/v1/" + entry.path().filename().string();
    const auto* file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    if (file == nullptr) {
      EXPECT_THAT(name, HasSubstr("/config_")) << "link it in here: it may have a service";
      continue;
    }
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        const auto* method = file->service(i)->method(j);
        ++methods;
        EXPECT_NE(RequiredRole(*method), v1::ROLE_UNSPECIFIED)
            << method->full_name() << " needs option (required_role)";
      }
    }
  }
  EXPECT_GT(methods, 25);
}

TEST(RolesTest, WhatEachMayDo) {
  using R = v1::Role;
  const std::vector<R> all = {v1::ROLE_VIEWER, v1::ROLE_OPERATOR, v1::ROLE_ADMIN,
                              v1::ROLE_PUBLISHER, v1::ROLE_EDGE};
  for (R has : all) {
    EXPECT_TRUE(RoleAllows(has, has));
    EXPECT_FALSE(RoleAllows(has, v1::ROLE_UNSPECIFIED)) << "what says nothing is nobody's";
    EXPECT_FALSE(RoleAllows(v1::ROLE_UNSPECIFIED, has));
    for (R other : {v1::ROLE_PUBLISHER, v1::ROLE_EDGE}) {
      if (has != other) {
        EXPECT_FALSE(RoleAllows(has, other) || RoleAllows(other, has));
      }
    }
  }
  EXPECT_FALSE(RoleAllows(v1::ROLE_UNSPECIFIED, v1::ROLE_UNSPECIFIED));
  EXPECT_TRUE(RoleAllows(v1::ROLE_ADMIN, v1::ROLE_VIEWER));
  EXPECT_TRUE(RoleAllows(v1::ROLE_OPERATOR, v1::ROLE_VIEWER));
  EXPECT_FALSE(RoleAllows(v1::ROLE_VIEWER, v1::ROLE_OPERATOR));
  EXPECT_FALSE(RoleAllows(v1::ROLE_OPERATOR, v1::ROLE_ADMIN));
  EXPECT_EQ(RoleName(v1::ROLE_OPERATOR), "operator");
  EXPECT_EQ(RoleName(static_cast<R>(99)), "none");
}

class AccessTest : public testing::Test {
 protected:
  AccessTest() {
    door_.key = "edge.admin";
    door_.services = {"spillway.v1.AdminService"};
    door_.open_role = v1::ROLE_ADMIN;
  }
  Access::CallerOptions& Add(const std::string& name, v1::Role role,
                             const std::string& token = "") {
    Access::CallerOptions& caller = door_.callers.emplace_back();
    caller.key = absl::StrCat("edge.admin.callers[", door_.callers.size() - 1, "]");
    caller.name = name;
    caller.role = role;
    caller.token = token;
    return caller;
  }
  void Create() {
    LinkIn();
    auto access = Access::Create({door_}, clock_);
    ASSERT_TRUE(access.ok()) << access.status();
    access_ = *access;
    access_->SetOnRefused([this](const Access::Refusal& refusal) {
      refusals_.push_back(
          absl::StrCat(std::string(Access::Name(refusal.reason)), " ", std::string(refusal.caller),
                       " ", std::string(refusal.method), " ", std::string(refusal.address)));
    });
  }
  std::string ErrorOfCreate() {
    LinkIn();
    return std::string(Access::Create({door_}, clock_).status().message());
  }
  // The caller's name if the call may be made, else how it is refused.
  std::string Ask(const Presented& presented) {
    const Access::Verdict verdict = access_->Judge(presented);
    EXPECT_EQ(verdict.status.ok(), verdict.principal != nullptr);
    if (verdict.status.ok()) return verdict.principal->name;
    message_ = std::string(verdict.status.message());
    return absl::StrCat(absl::StatusCodeToString(verdict.status.code()), " ",
                        message_.substr(0, message_.find(':')));
  }
  std::string Ask(const char* method, std::string_view authorization) {
    return Ask({.method = method, .authorization = authorization});
  }

  test::TempDir dir_;
  test::FakeClock clock_;
  Access::Door door_;
  std::shared_ptr<Access> access_;
  std::vector<std::string> refusals_;
  std::string message_;
};

TEST_F(AccessTest, WithoutCallersTheDoorIsOpen) {
  Create();
  EXPECT_EQ(Ask(kBlockUser, ""), "");
  EXPECT_EQ(Ask(kBlockUser, "Bearer whatever"), "");
}

TEST_F(AccessTest, EachMayDoWhatItsRoleSays) {
  Add("vera", v1::ROLE_VIEWER, "v-token");
  Add("otto", v1::ROLE_OPERATOR, "o-token");
  Add("ada", v1::ROLE_ADMIN, "a-token");
  Create();
  const std::string low = "PERMISSION_DENIED role_too_low";
  EXPECT_EQ(Ask(kGetStats, "Bearer v-token"), "vera");
  EXPECT_EQ(Ask(kDisconnect, "Bearer v-token"), low);
  EXPECT_EQ(message_, "role_too_low: Disconnect needs the role operator, and vera has viewer");
  EXPECT_EQ(Ask(kBlockUser, "Bearer v-token"), low);
  EXPECT_EQ(Ask(kGetStats, "Bearer o-token"), "otto");
  EXPECT_EQ(Ask(kDisconnect, "Bearer o-token"), "otto");
  EXPECT_EQ(Ask(kBlockUser, "Bearer o-token"), low);
  for (const char* method : {kGetStats, kDisconnect, kBlockUser}) {
    EXPECT_EQ(Ask(method, "Bearer a-token"), "ada");
  }
  EXPECT_EQ(access_->refused(Access::Reason::kRoleTooLow).Value(), 3u);
  EXPECT_EQ(refusals_.front(), absl::StrCat("role_too_low vera ", kDisconnect, " "));
}

TEST_F(AccessTest, WhatIsNearlyATokenIsNone) {
  Add("ada", v1::ROLE_ADMIN, "secret one");
  Create();
  for (const char* good :
       {"Bearer secret one", "bearer secret one", "BEARER   secret one  ", "bEaReR secret one"}) {
    EXPECT_EQ(Ask(kGetStats, good), "ada") << good;
  }
  const std::string bad = "UNAUTHENTICATED bad_credentials";
  const std::string very_long = absl::StrCat("Bearer ", std::string(1 << 20, 'x'));
  const std::string with_end = absl::StrCat("Bearer secret one", std::string(1, '\0'));
  for (const std::string& header :
       {std::string("secret one"), std::string("Basic secret one"), std::string("Bearer"),
        std::string("Bearer "), std::string("Bearer secret on"), std::string("Bearer secret one1"),
        std::string("Bearer SECRET ONE"), std::string("Bearersecret one"),
        std::string("Bearer\tsecret one"), std::string(" Bearer secret one"),
        std::string("Bearer secret one\r\n"), std::string("Bearer Bearer secret one"),
        std::string("Bearer \"secret one\""), very_long, with_end}) {
    EXPECT_EQ(Ask(kGetStats, header), bad) << header.substr(0, 40);
    EXPECT_THAT(message_, Not(HasSubstr("secret")));
  }
  EXPECT_EQ(Ask(kGetStats, ""), "UNAUTHENTICATED no_credentials");
  EXPECT_THAT(message_, HasSubstr("needs the metadata 'authorization: Bearer <token>'"));
  EXPECT_EQ(Ask({.method = kGetStats, .authorization = "Bearer secret one", .repeated = true}),
            bad);
  EXPECT_THAT(message_, HasSubstr("more than once"));
  EXPECT_EQ(access_->refused(Access::Reason::kNoCredentials).Value(), 1u);
}

TEST_F(AccessTest, OnlyMethodsThatThereAreAreCalled) {
  Add("ada", v1::ROLE_ADMIN, "t");
  Create();
  const std::string none = "UNIMPLEMENTED this port has no such method";
  for (const char* method :
       {"/spillway.v1.AdminService/Nothing", "/spillway.v1.AdminServiceX/GetStats",
        "/spillway.v1.PublishService/Publish", "spillway.v1.AdminService/GetStats",
        "/spillway.v1.AdminService/getstats", "/spillway.v1.AdminService/GetStats/", "", "/",
        "/grpc.health.v1.HealthX/Check", "//spillway.v1.AdminService/GetStats"}) {
    EXPECT_EQ(Ask(method, "Bearer t"), none) << method;
  }
  EXPECT_TRUE(access_->Judge({.method = "/grpc.health.v1.Health/Check"}).status.ok());
  EXPECT_TRUE(
      access_->Judge({.method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"})
          .status.ok());
}

TEST_F(AccessTest, ACertificateNamesItsOwner) {
  Add("dash", v1::ROLE_VIEWER).subject = "CN=dashboard,O=Example";
  Add("robot", v1::ROLE_OPERATOR).san = "spiffe://example/robot";
  Access::CallerOptions& both = Add("ada", v1::ROLE_ADMIN, "a-token");
  both.san = "ada.example";
  Create();
  const auto with = [](std::string_view subject, std::vector<std::string_view> sans,
                       std::string_view authorization = "") {
    return Presented{.method = kGetStats,
                     .authorization = authorization,
                     .subject = subject,
                     .sans = std::move(sans)};
  };
  EXPECT_EQ(Ask(with("CN=dashboard,O=Example", {})), "dash");
  EXPECT_EQ(Ask(with("CN=other", {"localhost", "spiffe://example/robot"})), "robot");
  const std::string none = "UNAUTHENTICATED no_credentials";
  const std::string bad = "UNAUTHENTICATED bad_credentials";
  for (const char* subject :
       {"CN=dashboard", "CN=dashboard,O=Example,OU=x", "cn=dashboard,o=example", "dashboard"}) {
    EXPECT_EQ(Ask(with(subject, {})), none) << subject;
  }
  EXPECT_THAT(message_, HasSubstr("or the client certificate of somebody who is listed"));
  for (const std::string_view san :
       {std::string_view("spiffe://example/robot2"), std::string_view("spiffe://example/robo"),
        std::string_view("CN=dashboard,O=Example"),
        std::string_view("spiffe://example/robot\0x", 24)}) {
    EXPECT_EQ(Ask(with("", {san})), none) << san;
  }
  EXPECT_EQ(Ask(with("", {"ada.example"}, "Bearer a-token")), "ada");
  EXPECT_EQ(Ask(with("", {}, "Bearer a-token")), bad) << "the token alone is half of it";
  EXPECT_EQ(Ask(with("", {"spiffe://example/robot"}, "Bearer a-token")), bad);
  EXPECT_EQ(Ask(with("", {"ada.example"})), none) << "so is the certificate";
  EXPECT_EQ(Ask(with("CN=dashboard,O=Example", {}, "Bearer wrong")), bad)
      << "what is shown must be somebody's";
}

TEST_F(AccessTest, TokensInFilesAreReadAgain) {
  const std::string path = dir_.Write("tokens", "old\r\n\n");
  Add("ada", v1::ROLE_ADMIN).token_file = path;
  Create();
  const std::string bad = "UNAUTHENTICATED bad_credentials";
  EXPECT_EQ(Ask(kGetStats, "Bearer old"), "ada");
  dir_.Write("tokens", "old\nnew\n");
  EXPECT_EQ(Ask(kGetStats, "Bearer new"), bad) << "not yet";
  clock_.Advance(kTokenFileInterval);
  EXPECT_EQ(Ask(kGetStats, "Bearer new"), "ada");
  EXPECT_EQ(Ask(kGetStats, "Bearer old"), "ada");
  dir_.Write("tokens", "new\n");
  clock_.Advance(kTokenFileInterval);
  EXPECT_EQ(Ask(kGetStats, "Bearer old"), bad);
  EXPECT_EQ(Ask(kGetStats, "Bearer new"), "ada");

  // What cannot be read changes nothing.
  std::filesystem::remove(path);
  clock_.Advance(kTokenFileInterval);
  EXPECT_EQ(Ask(kGetStats, "Bearer new"), "ada");
  EXPECT_EQ(access_->file_failures().Value(), 1u);
  dir_.Write("tokens",
             "a\x01"
             "b\n");
  clock_.Advance(kTokenFileInterval);
  EXPECT_EQ(Ask(kGetStats, "Bearer new"), "ada");
  EXPECT_EQ(access_->file_failures().Value(), 2u);
  // One that is there and has nothing in it lets nobody in.
  dir_.Write("tokens", "\n");
  clock_.Advance(kTokenFileInterval);
  EXPECT_EQ(Ask(kGetStats, "Bearer new"), bad);
  EXPECT_EQ(Ask(kGetStats, "Bearer "), bad);
}

TEST_F(AccessTest, ATokenThatTurnsUpInTwoFilesIsItsFirstOwners) {
  dir_.Write("one", "first\n");
  Add("ada", v1::ROLE_ADMIN).token_file = dir_.path() + "/one";
  dir_.Write("two", "second\n");
  Add("vera", v1::ROLE_VIEWER).token_file = dir_.path() + "/two";
  Create();
  dir_.Write("two", "second\nfirst\n");
  clock_.Advance(kTokenFileInterval);
  EXPECT_EQ(Ask(kGetStats, "Bearer first"), "ada");
  EXPECT_EQ(Ask(kGetStats, "Bearer second"), "vera");
  EXPECT_EQ(access_->file_failures().Value(), 1u);
}

TEST_F(AccessTest, ATokenThatTurnsUpInAnEarlierCallersFileStaysWhoseItWas) {
  dir_.Write("one", "first\n");
  Add("ada", v1::ROLE_ADMIN).token_file = dir_.path() + "/one";
  dir_.Write("two", "second\n");
  Add("vera", v1::ROLE_VIEWER).token_file = dir_.path() + "/two";
  Create();
  dir_.Write("one", "first\nsecond\nnew\n");
  dir_.Write("two", "second\nnew\n");
  clock_.Advance(kTokenFileInterval);
  EXPECT_EQ(Ask(kGetStats, "Bearer second"), "vera");
  EXPECT_NE(Ask(kGetStats, "Bearer new"), "ada") << "nobody had it: it is nobody's";
  EXPECT_NE(Ask(kGetStats, "Bearer new"), "vera");
  dir_.Write("two", "second\n");
  clock_.Advance(kTokenFileInterval);
  EXPECT_EQ(Ask(kGetStats, "Bearer new"), "ada");
}

TEST_F(AccessTest, SaysWhatIsWrongWithWhichCaller) {
  Add("ada", v1::ROLE_ADMIN);
  EXPECT_THAT(ErrorOfCreate(), AllOf(HasSubstr("edge.admin.callers[0]: "), HasSubstr("needs a")));
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a\r\nforged: line"), std::string(65, 'a'),
        std::string("\xc3\xa4"), std::string("a\0b", 3)}) {
    door_.callers.clear();
    Add(name, v1::ROLE_ADMIN, "t");
    EXPECT_THAT(ErrorOfCreate(), HasSubstr("a name has 1 to 64 letters")) << name;
  }
  door_.callers.clear();
  for (const char* token : {" t", "t ", "t\r\n", "\xc3\xa4"}) {
    door_.callers.clear();
    Add("ada", v1::ROLE_ADMIN, token);
    EXPECT_THAT(ErrorOfCreate(), HasSubstr("printable ASCII")) << token;
  }
  door_.callers.clear();
  Add("ada", v1::ROLE_ADMIN, "same-one");
  Add("vera", v1::ROLE_VIEWER, "same-one");
  EXPECT_EQ(ErrorOfCreate(), "edge.admin.callers[1]: has a token of ada");
  door_.callers[1].name = "ada";
  door_.callers[1].token = "other";
  EXPECT_THAT(ErrorOfCreate(), HasSubstr("two callers named ada"));
  door_.callers.pop_back();
  Add("vera", v1::ROLE_VIEWER).token_file = dir_.path() + "/absent";
  EXPECT_THAT(ErrorOfCreate(), HasSubstr("/absent' cannot be read"));
  door_.callers[1].token_file = dir_.Write("empty", "\n\n");
  EXPECT_THAT(ErrorOfCreate(), HasSubstr("has no token in it"));
  door_.services = {"spillway.v1.NoService"};
  EXPECT_THAT(ErrorOfCreate(), HasSubstr("there is no service"));
}

TEST(CredentialsTest, AddressesOfPeers) {
  EXPECT_EQ(AddressOfPeer("ipv4:10.0.0.7:4711"), "10.0.0.7");
  EXPECT_EQ(AddressOfPeer("ipv6:%5B::1%5D:4711"), "::1");
  EXPECT_EQ(AddressOfPeer("ipv6:[fe80::1%25eth0]:1"), "fe80::1%eth0");
  EXPECT_EQ(AddressOfPeer("unix:/run/x"), "unix:/run/x");
  EXPECT_EQ(AddressOfPeer(""), "");
}

TEST(CredentialsTest, PresentsTheFirstOfItsFile) {
  test::TempDir dir;
  test::FakeClock clock;
  EXPECT_EQ(PresentedToken().Get(), "");
  EXPECT_EQ(PresentedToken("fixed", "", clock).Get(), "fixed");
  EXPECT_EQ(PresentedToken("fixed", "", clock).Current(), "fixed");
  const PresentedToken token("", dir.Write("t", "new\nold\n"), clock);
  EXPECT_EQ(token.Current(), "");
  EXPECT_EQ(token.Get(), "new");
  dir.Write("t", "newer\nnew\n");
  EXPECT_EQ(token.Get(), "new");
  clock.Advance(kTokenFileInterval);
  EXPECT_EQ(token.Current(), "new");
  EXPECT_EQ(token.Get(), "newer");
  EXPECT_EQ(token.Current(), "newer");
  std::filesystem::remove(dir.path() + "/t");
  clock.Advance(kTokenFileInterval);
  EXPECT_EQ(token.Get(), "newer");
}

}  // namespace
}  // namespace spillway::rpc
