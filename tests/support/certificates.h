#pragma once

#include <string>

#include "tests/support/temp_dir.h"

namespace spillway::test {

// A certificate authority with one server and one client certificate, fresh and valid for a day, as
// PEM files in a directory that must outlive their use.
class Certificates {
 public:
  struct Options {
    const char* authority = "test authority";
    const char* server_names = "DNS:localhost,IP:127.0.0.1";  // as openssl writes them
  };
  explicit Certificates(const std::string& directory) : Certificates(directory, Options()) {}
  Certificates(const std::string& directory, const Options& options);

  const std::string& ca() const { return ca_; }
  const std::string& server_cert() const { return server_cert_; }
  const std::string& server_key() const { return server_key_; }
  const std::string& client_cert() const { return client_cert_; }
  const std::string& client_key() const { return client_key_; }

 private:
  std::string ca_;
  std::string server_cert_;
  std::string server_key_;
  std::string client_cert_;
  std::string client_key_;
};

}  // namespace spillway::test
