#include "services/edge/ws/extension.h"

#include <gtest/gtest.h>

namespace spillway::edge::ws {
namespace {

std::string Answer(std::string_view offers) {
  const auto agreement = NegotiateDeflate(offers);
  return agreement ? DeflateAnswer(*agreement) : "";
}

constexpr char kPlain[] =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

TEST(ExtensionTest, AcceptsWhatBrowsersOffer) {
  EXPECT_EQ(Answer("permessage-deflate; client_max_window_bits"), kPlain);
  EXPECT_EQ(Answer("permessage-deflate"), kPlain);
  EXPECT_EQ(Answer(" Permessage-Deflate ;client_no_context_takeover ; server_no_context_takeover"),
            kPlain);
  EXPECT_EQ(Answer("permessage-deflate; client_max_window_bits=\"10\""), kPlain);
}

TEST(ExtensionTest, KeepsToTheWindowAskedFor) {
  const auto agreement = NegotiateDeflate("permessage-deflate; server_max_window_bits=9");
  ASSERT_TRUE(agreement);
  EXPECT_EQ(agreement->server_window_bits, 9);
  EXPECT_EQ(DeflateAnswer(*agreement), std::string(kPlain) + "; server_max_window_bits=9");
}

TEST(ExtensionTest, TakesTheFirstOfferThatItCan) {
  EXPECT_EQ(Answer("x-other, permessage-deflate; server_max_window_bits=8, "
                   "permessage-deflate; server_max_window_bits=11, permessage-deflate"),
            std::string(kPlain) + "; server_max_window_bits=11");
}

TEST(ExtensionTest, DeclinesInvalidOffers) {
  for (const char* offer :
       {"", ",", ";", "x-webkit-deflate-frame", "permessage-deflate; foo",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=", "permessage-deflate;",
        "permessage-deflate; server_max_window_bits", "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=09",
        "permessage-deflate; server_max_window_bits=1x",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover"}) {
    EXPECT_EQ(Answer(offer), "") << offer;
  }
}

}  // namespace
}  // namespace spillway::edge::ws
