// LinkRuntime: the links to ingests, and the reads beside them.

#include <algorithm>

#include "common/rpc/client.h"
#include "services/edge/upstream/link_runtime_impl.h"

namespace spillway::edge {
namespace {

// Read ahead of LinkCore, in credits: what is not paid by credit (beats, answers) needs room, too.
constexpr size_t kWaitingCredits = 2;

}  // namespace

void LinkRuntime::Impl::OnResolved(absl::StatusOr<std::vector<std::string>> answer) {
  if (!answer.ok()) {
    // Those known stay: a name server that fails is no reason to leave an ingest.
    resolve_error_ = std::string(answer.status().message());
    log_.Warn("resolve", "cannot resolve the ingests' name",
              {{"name", options_.dns_name}, {"error", resolve_error_}});
    return;
  }
  resolve_error_.clear();
  targets_.SetResolved(*answer);
}

rpc::ChannelOptions LinkRuntime::Impl::ChannelOptionsFor(const std::string& address) const {
  rpc::ChannelOptions options;
  options.tls = options_.tls;
  options.max_message_bytes = rpc::kMaxTierMessageBytes;
  if (!options_.dns_name.empty() && options.tls.enabled() &&
      std::find(options_.addresses.begin(), options_.addresses.end(), address) ==
          options_.addresses.end()) {
    // Certificates are for names, and the address came from this one.
    options.tls_server_name = options_.dns_name.substr(0, options_.dns_name.rfind(':'));
  }
  return options;
}

void LinkRuntime::Impl::Dial(MonoTime now) {
  core_->ExpectLinks(targets_.ExpectedLinks());
  for (const IngestTargets::Dial& dial : targets_.TakeDue(now)) {
    // A channel for each attempt: it connects at once, whatever earlier ones went through.
    auto channel = rpc::CreateChannel(dial.address, ChannelOptionsFor(dial.address));
    if (!channel.ok()) {
      EndTarget(dial.link, std::string(channel.status().message()), /*duplicate=*/false, now);
      continue;
    }
    Link& link = links_[dial.link];
    link.client = std::make_unique<LinkClient>(
        dial.link, *std::move(channel),
        kWaitingCredits * static_cast<size_t>(options_.core.credit_bytes), *this);
    link.client->Start(Token());
    core_->OnLinkUp(dial.link, now);
  }
}

void LinkRuntime::Impl::EndTarget(LinkId link, std::string_view error, bool duplicate,
                                  MonoTime now) {
  const std::string address = targets_.AddressOf(link);
  if (address.empty() || !targets_.OnEnded(link, error, duplicate, now)) return;
  log::Warn("no link to an ingest; trying again", {{"address", address}, {"error", error}});
}

void LinkRuntime::Impl::OnLinkMessage(LinkId link, std::string message) {
  mailbox_.Put(
      [this, link, message = std::move(message)](MonoTime now) { OnMessage(link, message, now); });
}

void LinkRuntime::Impl::OnMessage(LinkId id, const std::string& message, MonoTime now) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  Link& link = found->second;
  if (!link.heard) {
    link.heard = true;
    v1::LinkResponse response;
    if (response.ParseFromString(message) && response.has_hello()) {
      targets_.OnHello(id, response.hello().node_id());
    }
  }
  if (link.known) core_->OnMessage(id, message, now);
  link.client->OnTaken(message.size());  // `link` stays until OnDone
}

void LinkRuntime::Impl::OnLinkBroken(LinkId link) {
  mailbox_.Put([this, link](MonoTime) {
    if (const auto found = links_.find(link); found != links_.end()) {
      found->second.client->Close(/*cancel=*/false);
    }
  });
}

void LinkRuntime::Impl::OnLinkDone(LinkId link, std::string error, bool denied) {
  mailbox_.Put([this, link, error = std::move(error), denied](MonoTime now) {
    if (denied) ++denied_;
    OnDone(link, error, now);
  });
}

void LinkRuntime::Impl::OnDone(LinkId id, const std::string& error, MonoTime now) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  const bool known = found->second.known;
  links_.erase(found);
  if (!known) return;
  EndTarget(id, error, /*duplicate=*/false, now);
  CancelReads(id);
  if (!stopping_) core_->OnLinkDown(id, now);
}

void LinkRuntime::Impl::Send(LinkId link, v1::LinkRequest request) {
  if (const auto found = links_.find(link); found != links_.end()) {
    found->second.client->Send(std::move(request));
  }
}

void LinkRuntime::Impl::CloseLink(LinkId id, LinkEnd why) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  found->second.known = false;
  found->second.client->Close(/*cancel=*/true);
  CancelReads(id);
  EndTarget(id, CodeOf(why), why == LinkEnd::kDuplicate, clock_.Now());
}

// ---- reads

template <typename Request>
void LinkRuntime::Impl::BeginRead(LinkId link, uint64_t call, Request request) {
  const auto found = links_.find(link);
  if (found == links_.end() || stopping_) {
    mailbox_.Put(
        [this, call](MonoTime now) { core_->OnReadFailed(call, "the link is gone", now); });
    return;
  }
  ReadCall& read = reads_[call];
  read.client = std::make_unique<ReadClient>(call, link, found->second.client->channel(),
                                             options_.core.read_timeout, Token(), *this);
  read.client->Start(std::move(request));
}

void LinkRuntime::Impl::StartRead(LinkId link, uint64_t call, v1::SnapshotRequest request) {
  BeginRead(link, call, std::move(request));
}

void LinkRuntime::Impl::StartRead(LinkId link, uint64_t call, v1::HistoryRequest request) {
  BeginRead(link, call, std::move(request));
}

void LinkRuntime::Impl::CancelReads(LinkId link) {
  for (auto& [call, read] : reads_) {
    if (read.client->link() != link) continue;
    read.known = false;  // LinkCore asks whoever takes the slots over
    read.client->Cancel();
  }
}

void LinkRuntime::Impl::OnReadMessage(uint64_t call, std::unique_ptr<v1::ReadResponse> response) {
  mailbox_.Put([this, call,
                response = std::shared_ptr<v1::ReadResponse>(std::move(response))](MonoTime now) {
    const auto found = reads_.find(call);
    if (found != reads_.end() && found->second.known) core_->OnReadResponse(call, *response, now);
  });
}

void LinkRuntime::Impl::OnReadDone(uint64_t call, std::string error) {
  mailbox_.Put([this, call, error = std::move(error)](MonoTime now) {
    const auto found = reads_.find(call);
    if (found == reads_.end()) return;
    const bool known = found->second.known && !stopping_;
    reads_.erase(found);
    // After a whole answer LinkCore knows nothing of the call any more and ignores this.
    if (known) core_->OnReadFailed(call, error.empty() ? "the answer was cut short" : error, now);
  });
}

void LinkRuntime::Impl::Report(std::string_view code, std::string details) {
  if (code == "link_up") return log::Info("linked to an ingest", {{"ingest", details}});
  // A link that ends before its ingest has said its name was never there: EndTarget tells.
  if (details.empty()) return;
  log_.Warn(std::string(code) + details, "link", {{"code", code}, {"detail", details}});
}

}  // namespace spillway::edge
