// Keys by which tokens are checked: JSON Web Key Sets, PEM, lines with secrets.

#include "common/auth/key_set.h"
#include "fuzz/input.h"

using spillway::auth::AlgorithmSet;
using spillway::auth::KeySet;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spillway::fuzz::Input input(data, size);
  const uint8_t kind = input.TakeByte();
  const std::string_view text = input.TakeRest();
  KeySet::Made keys = absl::InvalidArgumentError("none");
  switch (kind % 4) {
    case 0:
      keys = KeySet::FromJwks(text, AlgorithmSet::All(), /*trusted=*/false);
      break;
    case 1:
      keys = KeySet::FromJwks(text, AlgorithmSet::All(), /*trusted=*/true);
      break;
    case 2:
      keys = KeySet::FromPem(text, AlgorithmSet::All());
      break;
    default:
      keys = KeySet::FromSecretLines(text, AlgorithmSet::All());
  }
  if (keys.ok()) spillway::fuzz::Require((*keys)->size() > 0, "a set has a key");
  return 0;
}
