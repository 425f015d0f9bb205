#include "tests/support/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>

namespace spillway::test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Cert = std::unique_ptr<X509, decltype(&X509_free)>;

Key MakeKey() { return Key(EVP_EC_gen("P-256"), EVP_PKEY_free); }

void AddExtension(X509* cert, int nid, const char* value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
  if (extension == nullptr) throw std::runtime_error("bad certificate extension");
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
}

Cert MakeCert(const char* name, long serial, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key,
              const char* alternative_names) {
  Cert cert(X509_new(), X509_free);
  X509_set_version(cert.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 24 * 3600);
  X509_set_pubkey(cert.get(), key);
  X509_NAME* subject = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(cert.get(), issuer == nullptr ? subject : X509_get_subject_name(issuer));
  AddExtension(cert.get(), NID_basic_constraints,
               issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
  if (alternative_names != nullptr) {
    AddExtension(cert.get(), NID_subject_alt_name, alternative_names);
  }
  if (X509_sign(cert.get(), issuer_key, EVP_sha256()) == 0) {
    throw std::runtime_error("cannot sign a certificate");
  }
  return cert;
}

template <typename Write>
std::string WriteFile(const std::string& path, Write write) {
  FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr || write(file) != 1 || std::fclose(file) != 0) {
    throw std::runtime_error("cannot write " + path);
  }
  return path;
}

std::string WriteCert(const std::string& path, X509* cert) {
  return WriteFile(path, [cert](FILE* file) { return PEM_write_X509(file, cert); });
}

std::string WriteKey(const std::string& path, EVP_PKEY* key) {
  return WriteFile(path, [key](FILE* file) {
    return PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

}  // namespace

Certificates::Certificates(const std::string& directory, const Options& options) {
  const Key ca_key = MakeKey();
  const Key server_key = MakeKey();
  const Key client_key = MakeKey();
  const Cert ca = MakeCert(options.authority, 1, ca_key.get(), nullptr, ca_key.get(), nullptr);
  const Cert server =
      MakeCert("server", 2, server_key.get(), ca.get(), ca_key.get(), options.server_names);
  const Cert client = MakeCert("client", 3, client_key.get(), ca.get(), ca_key.get(), "DNS:client");
  ca_ = WriteCert(directory + "/ca.pem", ca.get());
  server_cert_ = WriteCert(directory + "/server.pem", server.get());
  server_key_ = WriteKey(directory + "/server.key", server_key.get());
  client_cert_ = WriteCert(directory + "/client.pem", client.get());
  client_key_ = WriteKey(directory + "/client.key", client_key.get());
}

}  // namespace spillway::test
