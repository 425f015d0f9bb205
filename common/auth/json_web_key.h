#pragma once

#include <simdjson.h>

#include <memory>
#include <string>

#include "common/auth/algorithm.h"
#include "common/auth/verify_key.h"

namespace spillway::auth {

// What became of a member of a key set.
struct JsonWebKey {
  std::shared_ptr<const VerifyKey> key;  // null: none
  // Otherwise: why, without a value of the key. `unfit`: it is one for signatures, and wrong.
  std::string reason;
  bool unfit = false;
};

// Reads one JSON Web Key (RFC 7517; RFC 7518, section 6; RFC 8037). `secrets`: `oct` is taken.
JsonWebKey ReadJsonWebKey(simdjson::dom::element value, AlgorithmSet allowed, bool secrets);

}  // namespace spillway::auth
