#include "tools/load/journal.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "tests/support/server_frame.h"
#include "tools/load/payload.h"
#include "tools/load/receiver.h"

namespace spillway::load {
namespace {

using ::testing::ElementsAre;

constexpr char kAccepted[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

std::string PathOf(std::string_view name) {
  return absl::StrCat(::testing::TempDir(), "/", std::string(name), ".", getpid());
}

// What a file holds behind its header, an entry a line.
std::vector<std::string> Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  std::vector<std::string> lines;
  for (size_t at = sizeof(Journal::Entry); at + sizeof(Journal::Entry) <= bytes.size();
       at += sizeof(Journal::Entry)) {
    Journal::Entry entry;
    std::memcpy(&entry, bytes.data() + at, sizeof(entry));
    if (entry.kind == Journal::Kind::kSource) {
      lines.push_back(
          absl::StrCat("source ", entry.source, " ", bytes.substr(at + 16, entry.detail)));
      continue;
    }
    lines.push_back(absl::StrCat("kind ", static_cast<int>(entry.kind), " detail ", entry.detail,
                                 " source ", entry.source, " client ", entry.client, " channel ",
                                 entry.channel, " ", entry.from, " ", entry.to));
  }
  std::filesystem::remove(path);
  return lines;
}

TEST(JournalTest, HasAHeaderAsLongAsAnEntry) {
  const std::string path = PathOf("header");
  ASSERT_TRUE(Journal::Create(path, 3, 4).ok());
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(bytes, std::string("SPWLJRNL\1\0\0\0\x20\0\0\0\3\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0", 32));
  std::filesystem::remove(path);
}

TEST(JournalTest, NamesASourceOnceAndInAsManyEntriesAsItTakes) {
  const std::string path = PathOf("sources");
  {
    const auto journal = *Journal::Create(path, 0, 1);
    EXPECT_EQ(journal->SourceNumber("a-topic-name/12@0"), 0);
    EXPECT_EQ(journal->SourceNumber("b/0@0"), 1);
    EXPECT_EQ(journal->SourceNumber("a-topic-name/12@0"), 0);
    EXPECT_TRUE(journal->Flush());
  }
  EXPECT_THAT(Read(path), ElementsAre("source 0 a-topic-name/12@", "source 0 0", "source 1 b/0@0"));
}

TEST(JournalTest, AFileThatCannotBeMadeOrWrittenIsAnError) {
  EXPECT_FALSE(Journal::Create("/nowhere/at/all", 0, 1).ok());
  if (!std::filesystem::exists("/dev/full")) return;
  EXPECT_FALSE(Journal::Create("/dev/full", 0, 1).ok());
}

class ReceiverJournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.resume = true;
    options_.streams = *ParseStreams(
        "channel=a:{n},channels=3,per_client=1;"
        "channel=b:{n},channels=4,per_client=1,partitions=2,spread=2,keys=2");
    dialect_ = *MakeDialect("json");
    run_ = *RunState::Create(1, options_.streams);
    path_ = PathOf("receiver");
    journal_ = *Journal::Create(path_, 0, 1);
    receiver_ = std::make_unique<Receiver>(options_, *dialect_, *run_, run_->worker(0), size_t{1},
                                           journal_.get());
    Connect();
  }

  void Connect() {
    receiver_->Begin(&client_, 2, 0, true);
    Take(kAccepted);
  }
  void Take(const std::string& bytes) {
    std::string out;
    ASSERT_EQ(receiver_->Take(&client_, bytes, 0, &out), static_cast<int64_t>(bytes.size()));
  }
  void Message(const std::string& text) { Take(test::ServerFrame(text)); }
  void Event(int slot, int offset, uint8_t stream, uint32_t channel, uint32_t sequence) {
    Stamp stamp;
    stamp.stream = stream;
    stamp.channel = channel;
    stamp.sequence = sequence;
    PayloadWriter writer(options_.streams.at(0));
    Message(absl::StrCat(R"({"type":"event","channel":"x","event":"e","slot":)", slot,
                         R"(,"offset":)", offset, R"(,"time":1,"data":)",
                         std::string(writer.Write(stamp, "")), "}"));
  }
  std::vector<std::string> Written() {
    journal_.reset();
    return Read(path_);
  }

  ClientOptions options_;
  std::unique_ptr<Dialect> dialect_;
  std::unique_ptr<RunState> run_;
  std::string path_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Receiver> receiver_;
  ClientState client_;
};

TEST_F(ReceiverJournalTest, KeepsWhatAClientWasToldInItsOrder) {
  Message(R"({"type":"subscribed","channel":"a:2","position":[{"slot":1,"source":"t/0@0",)"
          R"("offset":5,"fp":1},{"slot":2,"source":"t/1@0","pending":true}]})");
  Message(R"({"type":"subscribed","channel":"b:2","position":[]})");
  Event(1, 7, 0, 2, 1);
  Message(R"({"type":"joined","channel":"a:2","position":[)"
          R"({"slot":2,"source":"t/1@0","offset":-1}]})");
  Event(9, 8, 0, 2, 2);
  Message(R"({"type":"gap","channel":"a:2","slot":2,"source":"t/1@0","from":3,"to":4,)"
          R"("reason":"limit"})");
  Message(R"({"type":"checkpoint","channel":"a:2","position":[)"
          R"({"slot":1,"source":"t/0@0","offset":9}]})");
  Message(R"({"type":"event","channel":"a:2","event":"e","slot":1,"offset":11,"data":{}})");
  Connect();
  receiver_->Check(client_);
  EXPECT_THAT(Written(),
              ElementsAre("kind 2 detail 0 source 65535 client 2 channel 0 0 0", "source 0 t/0@0",
                          "source 1 t/1@0", "kind 4 detail 0 source 0 client 2 channel 2 5 0",
                          "kind 4 detail 1 source 1 client 2 channel 2 0 0",
                          "kind 4 detail 0 source 65535 client 2 channel 16777218 0 0",
                          "kind 7 detail 0 source 0 client 2 channel 2 7 1",
                          "kind 5 detail 0 source 1 client 2 channel 2 -1 0",
                          // Its slot was never introduced.
                          "kind 7 detail 0 source 65535 client 2 channel 2 8 2",
                          "kind 8 detail 3 source 1 client 2 channel 2 3 4",
                          "kind 6 detail 0 source 0 client 2 channel 2 9 0",
                          // Somebody else's, without a stamp.
                          "kind 7 detail 0 source 0 client 2 channel 2 11 0",
                          "kind 2 detail 1 source 65535 client 2 channel 0 1 0",
                          "kind 3 detail 0 source 0 client 2 channel 2 11 0",
                          "kind 3 detail 0 source 1 client 2 channel 2 4 0",
                          "kind 9 detail 0 source 65535 client 2 channel 0 0 0"));
  EXPECT_EQ(run_->worker(0).strange.get(), 0u);
}

TEST_F(ReceiverJournalTest, ChannelsOfSeveralPartitionsHaveNoOrderOfTheirOwn) {
  Event(1, 1, 1, 2, 2);
  Event(2, 1, 1, 2, 1);
  EXPECT_EQ(run_->worker(0).sequence.in_order, 2u);
  EXPECT_EQ(run_->worker(0).sequence.out_of_order, 0u);
  Event(1, 1, 0, 2, 1);
  Event(1, 2, 0, 2, 3);
  Event(1, 3, 0, 2, 2);
  EXPECT_EQ(run_->worker(0).sequence.out_of_order, 1u);
  std::filesystem::remove(path_);
}

}  // namespace
}  // namespace spillway::load
