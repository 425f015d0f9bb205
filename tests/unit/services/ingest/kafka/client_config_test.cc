#include "services/ingest/kafka/client_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spillway::ingest {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

KafkaSettings Settings() {
  KafkaSettings settings;
  settings.brokers = "127.0.0.1:9092";
  settings.client_id = "spillway";
  settings.group_id = "group";
  return settings;
}

std::string Get(const ConfHandle& conf, const char* name) {
  char value[512] = "";
  size_t size = sizeof(value);
  EXPECT_EQ(rd_kafka_conf_get(conf.get(), name, value, &size), RD_KAFKA_CONF_OK) << name;
  return value;
}

TEST(BuildConf, ReaderNeverResetsNorCommits) {
  const auto conf = BuildConf(Settings(), {.role = ClientRole::kReader});
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(Get(*conf, "auto.offset.reset"), "error");
  EXPECT_EQ(Get(*conf, "enable.partition.eof"), "true");
  EXPECT_EQ(Get(*conf, "enable.auto.commit"), "false");
  EXPECT_EQ(Get(*conf, "enable.auto.offset.store"), "false");
  EXPECT_EQ(Get(*conf, "isolation.level"), "read_committed");
  EXPECT_EQ(Get(*conf, "client.id"), "spillway");
  EXPECT_EQ(Get(*conf, "bootstrap.servers"), "127.0.0.1:9092");
}

TEST(BuildConf, OnlyTheCommitterHasTheGroup) {
  for (ClientRole role : {ClientRole::kReader, ClientRole::kProber, ClientRole::kProducer}) {
    const auto conf = BuildConf(Settings(), {.role = role});
    ASSERT_TRUE(conf.ok()) << conf.status();
    char value[64] = "";
    size_t size = sizeof(value);
    EXPECT_NE(rd_kafka_conf_get(conf->get(), "group.id", value, &size), RD_KAFKA_CONF_OK) << value;
  }
  const auto conf = BuildConf(Settings(), {.role = ClientRole::kCommitter});
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(Get(*conf, "group.id"), "group");
}

TEST(BuildConf, BoundsTheQueue) {
  const auto conf =
      BuildConf(Settings(),
                {.role = ClientRole::kReader, .queue_bytes = 4 << 20, .fetch_max_bytes = 2 << 20});
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(Get(*conf, "queued.max.messages.kbytes"), "4096");
  EXPECT_EQ(Get(*conf, "fetch.max.bytes"), "2097152");
}

TEST(BuildConf, EmbeddedBrokerIsAskedOften) {
  KafkaSettings settings = Settings();
  settings.embedded_broker = true;
  const auto conf = BuildConf(settings, {.role = ClientRole::kReader});
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(Get(*conf, "fetch.wait.max.ms"), "10");
}

TEST(BuildConf, ProducerIsIdempotent) {
  const auto conf = BuildConf(Settings(), {.role = ClientRole::kProducer});
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(Get(*conf, "enable.idempotence"), "true");
  EXPECT_EQ(Get(*conf, "acks"), "-1");  // all
  EXPECT_EQ(Get(*conf, "message.timeout.ms"), "5000");
}

TEST(BuildConf, UserPropertiesPassThroughAndWinOverDefaults) {
  KafkaSettings settings = Settings();
  settings.properties = {{"isolation.level", "read_uncommitted"},
                         {"fetch.wait.max.ms", "7"},
                         {"security.protocol", "sasl_ssl"},
                         {"compression.type", "lz4"}};
  const auto conf = BuildConf(settings, {.role = ClientRole::kReader});
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(Get(*conf, "isolation.level"), "read_uncommitted");
  EXPECT_EQ(Get(*conf, "fetch.wait.max.ms"), "7");
  EXPECT_EQ(Get(*conf, "security.protocol"), "sasl_ssl");
}

TEST(BuildConf, NamesTheUnknownProperty) {
  KafkaSettings settings = Settings();
  settings.properties = {{"fetch.wiat.max.ms", "7"}};
  const auto conf = BuildConf(settings, {.role = ClientRole::kReader});
  ASSERT_EQ(conf.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(conf.status().message()),
              AllOf(HasSubstr("kafka.properties: fetch.wiat.max.ms"),
                    HasSubstr("No such configuration property")));
}

TEST(BuildConf, NamesTheBadValue) {
  KafkaSettings settings = Settings();
  settings.properties = {{"fetch.wait.max.ms", "soon"}};
  const auto conf = BuildConf(settings, {.role = ClientRole::kReader});
  ASSERT_EQ(conf.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(conf.status().message()), HasSubstr("fetch.wait.max.ms"));
}

TEST(BuildConf, NeverShowsASecret) {
  KafkaSettings settings = Settings();
  settings.properties = {{"security.protocol", "ssl"}, {"ssl.key.pem", "hunter2"}};
  const absl::Status status = CheckSettings(settings);
  ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("ssl.key.pem"), Not(HasSubstr("hunter2"))));
  // librdkafka's own words about a name that it does not know are left out for secrets.
  settings.properties = {{"sasl.pasword.secret", "hunter2"}};
  EXPECT_THAT(std::string(CheckSettings(settings).message()), HasSubstr("a secret, not shown"));
}

TEST(BuildConf, ReservedPropertiesSayWhatToDoInstead) {
  for (const char* name :
       {"bootstrap.servers", "group.id", "client.id", "auto.offset.reset", "enable.auto.commit",
        "enable.auto.offset.store", "enable.partition.eof", "enable.idempotence", "acks"}) {
    KafkaSettings settings = Settings();
    settings.properties = {{name, "x"}};
    const auto conf = BuildConf(settings, {.role = ClientRole::kReader});
    EXPECT_EQ(conf.status().code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(conf.status().message()), HasSubstr("can't be set here")) << name;
  }
}

TEST(BuildConf, NeedsBrokers) {
  KafkaSettings settings = Settings();
  settings.brokers = " , ";
  const auto conf = BuildConf(settings, {.role = ClientRole::kReader});
  EXPECT_EQ(conf.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(conf.status().message()), HasSubstr("kafka.brokers"));
}

TEST(CheckSettings, FindsRulesThatSpanProperties) {
  EXPECT_TRUE(CheckSettings(Settings()).ok()) << CheckSettings(Settings());
  KafkaSettings settings = Settings();
  settings.properties = {{"receive.message.max.bytes", "100000"}};
  EXPECT_EQ(CheckSettings(settings).code(), absl::StatusCode::kInvalidArgument)
      << CheckSettings(settings);
}

}  // namespace
}  // namespace spillway::ingest
