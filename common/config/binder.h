#pragma once

#include <string>

#include "common/config/environment.h"
#include "common/config/errors.h"
#include "common/config/tree.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace spillway::config {

// Fills `message`, whose fields carry (spillway.v1.opt), from `tree`: interpolates, converts and
// checks every value, and puts in the defaults of what is absent, in nested messages and list
// elements too. All that is wrong goes to `errors`; where each given key came from goes to
// `locations`. Where a list of scalars is expected, one scalar is a list of one; if its text came
// from outside (${...}), it is split at commas. A scalar that interpolation leaves empty counts as
// absent.
void Bind(const Tree& tree, const Environment& environment, google::protobuf::Message& message,
          Errors& errors, Locations& locations);

}  // namespace spillway::config
