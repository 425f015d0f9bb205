#include "common/rpc/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace spillway::rpc {
namespace {

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct X509Free {
  void operator()(X509* cert) const { X509_free(cert); }
};
struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, BioFree>;
using Cert = std::unique_ptr<X509, X509Free>;
using Key = std::unique_ptr<EVP_PKEY, KeyFree>;

absl::Status Read(const char* what, const std::string& path, std::string* out) {
  if (path.empty()) return absl::OkStatus();
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || text.str().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read the ", what, " file '", path,
                     "': ", errno != 0 ? std::generic_category().message(errno) : "it is empty"));
  }
  *out = text.str();
  return absl::OkStatus();
}

Bio ReadBio(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// An encrypted key must be an error, not a prompt on the terminal.
int NoPassword(char*, int, int, void*) { return 0; }

Cert ParseCert(const std::string& pem) {
  return Cert(PEM_read_bio_X509(ReadBio(pem).get(), nullptr, NoPassword, nullptr));
}

Key ParseKey(const std::string& pem) {
  return Key(PEM_read_bio_PrivateKey(ReadBio(pem).get(), nullptr, NoPassword, nullptr));
}

}  // namespace

absl::StatusOr<TlsMaterial> LoadTls(const TlsFiles& files) {
  if (files.cert.empty() != files.key.empty()) {
    return absl::InvalidArgumentError(
        "TLS needs the certificate and the key file: only one is set");
  }
  TlsMaterial material;
  for (const absl::Status& status :
       {Read("TLS certificate", files.cert, &material.cert),
        Read("TLS key", files.key, &material.key), Read("TLS CA", files.ca, &material.ca)}) {
    if (!status.ok()) return status;
  }
  ERR_clear_error();
  absl::Status status;
  if (!files.cert.empty()) {
    const Cert cert = ParseCert(material.cert);
    const Key key = ParseKey(material.key);
    if (cert == nullptr) {
      status = absl::InvalidArgumentError(
          absl::StrCat("the TLS certificate file '", files.cert, "' holds no PEM certificate"));
    } else if (key == nullptr) {
      status = absl::InvalidArgumentError(
          absl::StrCat("the TLS key file '", files.key, "' holds no unencrypted PEM private key"));
    } else if (X509_check_private_key(cert.get(), key.get()) != 1) {
      status = absl::InvalidArgumentError(absl::StrCat("the TLS key file '", files.key,
                                                       "' does not belong to the certificate '",
                                                       files.cert, "'"));
    }
  }
  if (status.ok() && !files.ca.empty() && ParseCert(material.ca) == nullptr) {
    status = absl::InvalidArgumentError(
        absl::StrCat("the TLS CA file '", files.ca, "' holds no PEM certificate"));
  }
  ERR_clear_error();  // what is left there would be read as another's error on this thread
  if (!status.ok()) return status;
  return material;
}

TlsFilesWatch::TlsFilesWatch(TlsFiles files, const Clock& clock)
    : files_(std::move(files)), clock_(clock), looked_(clock.Now()), seen_(Look()), taken_(seen_) {}

TlsFilesWatch::Stamps TlsFilesWatch::Look() const {
  Stamps stamps;
  const std::array<const std::string*, 3> paths = {&files_.cert, &files_.key, &files_.ca};
  for (size_t i = 0; i < paths.size(); ++i) {
    struct stat found {};
    if (paths[i]->empty() || ::stat(paths[i]->c_str(), &found) != 0) continue;
    stamps[i] = {.device = found.st_dev,
                 .inode = found.st_ino,
                 .size = found.st_size,
                 .changed_ns = found.st_ctim.tv_sec * 1'000'000'000 + found.st_ctim.tv_nsec};
  }
  return stamps;
}

bool TlsFilesWatch::Changed() {
  const MonoTime now = clock_.Now();
  if (now - looked_ < kTlsLookInterval) return false;
  looked_ = now;
  seen_ = Look();
  return seen_ != taken_;
}

}  // namespace spillway::rpc
