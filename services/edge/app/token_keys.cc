#include "services/edge/app/token_keys.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::edge {
namespace {

using auth::AlgorithmSet;
using auth::KeySource;
using std::chrono::milliseconds;

absl::Status Wrong(const std::string& path, absl::string_view key, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ".", key, ": ", what));
}

// A file, as far as a key set may be long and one byte more.
absl::StatusOr<std::string> ReadKeys(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(auth::KeySet::kMaxBytes + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file && !file.eof()) {
    return absl::NotFoundError(absl::StrCat("the file ", path, " cannot be read"));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

absl::StatusOr<AlgorithmSet> AlgorithmsOf(const v1::IssuerConfig& config, const std::string& path) {
  if (config.algorithms().empty()) return AlgorithmSet::All();
  AlgorithmSet algorithms;
  for (int i = 0; i < config.algorithms_size(); ++i) {
    const auto algorithm = auth::ParseAlgorithm(config.algorithms(i));
    if (!algorithm) {
      return Wrong(path, absl::StrCat("algorithms[", i, "]"),
                   "expected HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, "
                   "ES384, ES512 or EdDSA");
    }
    algorithms.Add(*algorithm);
  }
  return algorithms;
}

std::string PlaceOf(absl::string_view kind, const std::string& place, AlgorithmSet algorithms) {
  std::string key = absl::StrCat(kind, " ", place);
  for (size_t i = 0; i < auth::kAlgorithms; ++i) {
    key += algorithms.Has(static_cast<auth::Algorithm>(i)) ? '1' : '0';
  }
  return key;
}

}  // namespace

absl::StatusOr<auth::JwtIssuer> TokenKeys::IssuerOf(const v1::IssuerConfig& config,
                                                    const std::string& path) {
  int places = 0;
  for (const std::string* place :
       {&config.secret(), &config.secret_file(), &config.public_key_file(), &config.jwks_file(),
        &config.jwks_url()}) {
    places += place->empty() ? 0 : 1;
  }
  if (places != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": needs one of secret, secret_file, public_key_file, jwks_file and jwks_url"));
  }
  const auto algorithms = AlgorithmsOf(config, path);
  if (!algorithms.ok()) return algorithms.status();
  auto source = SourceOf(config, path, *algorithms);
  if (!source.ok()) return source.status();
  return auth::JwtIssuer{
      .issuer = config.issuer(), .audience = config.audience(), .keys = *std::move(source)};
}

absl::StatusOr<std::shared_ptr<KeySource>> TokenKeys::SourceOf(const v1::IssuerConfig& config,
                                                               const std::string& path,
                                                               AlgorithmSet algorithms) {
  const auto file = [&](absl::string_view key, const std::string& name,
                        KeySource::Format format) -> absl::StatusOr<std::shared_ptr<KeySource>> {
    auto source = FileOf(name, format, algorithms);
    if (!source.ok()) return Wrong(path, key, source.status().message());
    return source;
  };
  if (!config.secret().empty()) {
    auto keys = auth::KeySet::FromSecrets({config.secret()}, algorithms);
    if (!keys.ok()) return Wrong(path, "secret", keys.status().message());
    return std::make_shared<KeySource>(*std::move(keys));
  }
  if (!config.secret_file().empty()) {
    return file("secret_file", config.secret_file(), KeySource::Format::kSecretLines);
  }
  if (!config.public_key_file().empty()) {
    return file("public_key_file", config.public_key_file(), KeySource::Format::kPem);
  }
  if (!config.jwks_file().empty()) {
    return file("jwks_file", config.jwks_file(), KeySource::Format::kJwks);
  }
  if (!fetch::IsHttpUrl(config.jwks_url())) {
    return Wrong(path, "jwks_url", "expected an address that begins with http:// or https://");
  }
  if (!config.ca_file().empty()) {
    if (const auto text = ReadKeys(config.ca_file()); !text.ok()) {
      return Wrong(path, "ca_file", text.status().message());
    }
  }
  // Whoever serves the address could make tokens of a secret in it.
  const AlgorithmSet asymmetric = algorithms & auth::kPublicAlgorithms;
  if (asymmetric.empty())
    return Wrong(path, "algorithms", "a jwks_url has no keys for HS256 and the like");
  return UrlOf(config, asymmetric);
}

absl::StatusOr<std::shared_ptr<KeySource>> TokenKeys::FileOf(const std::string& path,
                                                             KeySource::Format format,
                                                             AlgorithmSet algorithms) {
  std::shared_ptr<KeySource>& source =
      by_place_[PlaceOf(absl::StrCat(static_cast<int>(format)), path, algorithms)];
  if (source != nullptr) return source;
  auto made = std::make_shared<KeySource>(
      KeySource::Options{.name = path,
                         .format = format,
                         .algorithms = algorithms,
                         .refresh = kLookInterval,
                         .retry = kLookInterval},
      [path] { return ReadKeys(path); }, clock_);
  made->Load();
  if (made->Current() == nullptr) return absl::InvalidArgumentError(made->status().error);
  changing_.push_back(made.get());
  return source = std::move(made);
}

std::shared_ptr<KeySource> TokenKeys::UrlOf(const v1::IssuerConfig& config,
                                            AlgorithmSet algorithms) {
  std::shared_ptr<KeySource>& source =
      by_place_[PlaceOf(absl::StrCat("url ", config.ca_file(), " ", config.refresh(), " ",
                                     config.retry(), " ", config.timeout()),
                        config.jwks_url(), algorithms)];
  if (source != nullptr) return source;
  const fetch::FetchOptions options{.timeout = milliseconds(config.timeout()),
                                    .max_bytes = auth::KeySet::kMaxBytes,
                                    .ca_file = config.ca_file()};
  source = std::make_shared<KeySource>(
      KeySource::Options{.name = fetch::ShownUrl(config.jwks_url()),
                         .format = KeySource::Format::kJwks,
                         .algorithms = algorithms,
                         .remote = true,
                         .refresh = milliseconds(config.refresh()),
                         .retry = milliseconds(config.retry())},
      [this, url = config.jwks_url(), options] { return fetcher_.Get(url, options); }, clock_);
  changing_.push_back(source.get());
  return source;
}

void TokenKeys::Start() {
  refresher_ = std::make_unique<auth::KeyRefresher>(changing_, clock_);
  refresher_->Start();
}

void TokenKeys::Stop() {
  fetcher_.Cancel();
  // Stays: a verifier may still wake it up.
  if (refresher_ != nullptr) refresher_->Stop();
}

std::vector<TokenKeys::Source> TokenKeys::sources() const {
  std::vector<Source> sources;
  for (const KeySource* source : changing_) {
    sources.push_back({.name = source->options().name,
                       .remote = source->options().remote,
                       .status = source->status()});
  }
  return sources;
}

}  // namespace spillway::edge
