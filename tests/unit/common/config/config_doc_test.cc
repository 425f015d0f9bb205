// The schema itself is sound, its documentation is current, and the example files load.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <string>

#include "common/config/doc.h"
#include "common/config/loader.h"
#include "spillway/v1/config_options.pb.h"
#include "tests/unit/common/config/fake_environment.h"

namespace spillway::config {
namespace {

std::string SourcePath(const std::string& path) {
  return std::string(SPILLWAY_SOURCE_DIR) + "/" + path;
}

// SPILLWAY_UPDATE_GOLDEN=1 writes the page instead.
TEST(ConfigDocTest, PageIsCurrent) {
  const std::string path = SourcePath("docs/configuration.md");
  if (std::getenv("SPILLWAY_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << ConfigDoc();
  }
  std::ifstream stream(path, std::ios::binary);
  const std::string page((std::istreambuf_iterator<char>(stream)),
                         std::istreambuf_iterator<char>());
  EXPECT_TRUE(page == ConfigDoc())
      << "docs/configuration.md is out of date: run this test with SPILLWAY_UPDATE_GOLDEN=1";
}

TEST(ConfigDocTest, EveryKeyIsDocumentedAndEveryDefaultIsValid) {
  // Defaults are put in by the loader, so a configuration of both sections tries all outside lists.
  std::set<const google::protobuf::Descriptor*> seen;
  std::function<void(const google::protobuf::Descriptor&)> walk = [&](const auto& type) {
    if (!seen.insert(&type).second) return;
    for (int i = 0; i < type.field_count(); ++i) {
      const auto& field = *type.field(i);
      const auto& opts = field.options().GetExtension(v1::opt);
      EXPECT_FALSE(opts.doc().empty()) << field.full_name();
      if (field.is_map()) {
        EXPECT_EQ(field.message_type()->field(1)->cpp_type(),
                  google::protobuf::FieldDescriptor::CPPTYPE_STRING)
            << field.full_name();
        continue;
      }
      if (field.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
        walk(*field.message_type());
      }
      if (field.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_ENUM) {
        EXPECT_TRUE(opts.required() || !opts.default_value().empty())
            << field.full_name() << ": code must never see the unspecified value";
      }
    }
  };
  walk(*v1::Config::descriptor());
  EXPECT_GT(seen.size(), 20U);
}

TEST(ConfigDocTest, ExampleFilesLoad) {
  FakeEnvironment environment;
  environment.variables["JWT_SECRET"] = "0123456789abcdef0123456789abcdef";
  for (const char* path : {"config/ingest.yaml", "config/edge.yaml"}) {
    std::ifstream stream(SourcePath(path));
    environment.files[path] =
        std::string((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    ASSERT_FALSE(environment.files[path].empty()) << path;
    Sources sources;
    sources.files = {path};
    const auto loaded = Load(sources, environment);
    EXPECT_TRUE(loaded.ok()) << loaded.status().message();
  }
}

}  // namespace
}  // namespace spillway::config
