#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::metrics {

class Families;

// What all series of one name have in common. Only a Families makes one, and keeps it.
class Family {
 public:
  enum class Type { kCounter, kGauge, kHistogram };

  const std::string& name() const { return name_; }
  const std::string& help() const { return help_; }
  Type type() const { return type_; }
  // The names of the labels that each of its series has.
  const std::vector<std::string>& labels() const { return labels_; }

 private:
  friend class Families;
  Family(Type type, std::string name, std::string help, std::vector<std::string> labels)
      : type_(type), name_(std::move(name)), help_(std::move(help)), labels_(std::move(labels)) {}

  Type type_;
  std::string name_;
  std::string help_;
  std::vector<std::string> labels_;
};

// Whether this is [a-zA-Z_:][a-zA-Z0-9_:]*.
bool ValidName(std::string_view name);

// All families that a program may export. A Registry takes no others: this list cannot fall behind
// what is exported, so configuration can be checked against it before anything runs. Declare them
// as members that are made of it (see services/*/app/metric_families.h). Names are
// valid ones, each given once; label names are [a-zA-Z_][a-zA-Z0-9_]* and do not
// begin with "__". Immutable once declared; any thread may read it then.
class Families {
 public:
  Families();
  Families(const Families&) = delete;
  Families& operator=(const Families&) = delete;

  // What they return lives as long as this.
  const Family& Counter(std::string name, std::string help, std::vector<std::string> labels = {});
  const Family& Gauge(std::string name, std::string help, std::vector<std::string> labels = {});
  const Family& Histogram(std::string name, std::string help, std::vector<std::string> labels = {});

  // Null when there is none.
  const Family* Find(std::string_view name) const;
  bool Owns(const Family& family) const { return Find(family.name()) == &family; }
  // In alphabetical order.
  std::vector<std::string> Names() const;
  // A Markdown table of all, in alphabetical order: docs/metrics.md.
  std::string Table() const;

  // What a registry itself exports.
  const Family& rejected() const { return *rejected_; }

 private:
  const Family& Add(Family family);

  std::deque<Family> families_;  // whose elements stay where they are
  const Family* rejected_;
};

}  // namespace spillway::metrics
