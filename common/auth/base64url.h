#pragma once

#include <string>
#include <string_view>

namespace spillway::auth {

// Decodes base64url (RFC 4648, section 5) and accepts only what an encoder makes of something: no
// padding, no other alphabet, no spare bits. One token must have one spelling. False: it is
// something else, and `out` holds a part. Any thread.
bool DecodeBase64Url(std::string_view text, std::string* out);

}  // namespace spillway::auth
