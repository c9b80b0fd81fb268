#include "io/engine.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "clean/speexdsp.h"

namespace parley {

namespace {
constexpr uint32_t kMostClosingWaits = 100;  // of 1 ms
constexpr std::array<uint32_t, 9> kRates{8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000};

// Unpredictable starts (RFC 3550 section 5.1), so that nobody can guess their way into a stream.
SessionOptions randomStart() {
  SessionOptions options;
  struct {
    uint32_t ssrc;
    uint32_t timestamp;
    uint16_t seq;
    std::array<uint8_t, 12> name;
  } random{};
  (void)!getrandom(&random, sizeof(random), 0);
  for (size_t i = 0; i < options.cname.size(); i++) options.cname[i] = "abcdefghijklmnopqrstuvwxyz012345"[random.name[i] & 31];
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  options.unixOffsetUs = static_cast<int64_t>(wall.tv_sec) * 1000000 + wall.tv_nsec / 1000 - monoNowUs();
  options.ssrc = random.ssrc;
  options.firstTimestamp = random.timestamp;
  options.firstSeq = random.seq;
  return options;
}
}  // namespace

bool Engine::rateSupported(uint32_t rateHz) { return std::find(kRates.begin(), kRates.end(), rateHz) != kRates.end(); }

int Engine::start() {
  const uint64_t historySamples = uint64_t{options_.historyMs} * PARLEY_AUDIO_RATE_HZ / 1000;
  if (historySamples > (1u << 24) || options_.maxCalls == 0 || options_.portMax < options_.portMin) return EINVAL;
  if (const int error = audio_.create(options_.maxCalls, static_cast<uint32_t>(historySamples), options_.keepSent); error != 0) return error;
  entries_.resize(options_.maxCalls);
  portUsed_.assign(static_cast<size_t>(options_.portMax - options_.portMin) + 1, false);
  // Tables are built here, not by the first packet.
  Upsampler warm;
  std::array<int16_t, 2> out;
  warm.process(std::array<int16_t, 1>{0}, out.data());
  warmProsody();
  Decoder decoder;
  decoder.decode(std::array<uint8_t, 1>{0xff}, out.data());
  thread_ = std::make_unique<MediaThread>(audio_, options_.maxCalls, options_.realtime, options_.notify, options_.notifyContext);
  if (options_.sharedSocket) {
    if (const int error = bindPorts(shared_); error != 0) return error;
    widenReceiveBuffer(shared_.rtp, options_.maxCalls);
    thread_->share(shared_.rtp, shared_.rtcp);
  }
  return thread_->start();
}

void Engine::stop() {
  if (thread_ == nullptr) return;
  thread_->stop();
  for (uint32_t slot = 0; slot < entries_.size(); slot++)
    if (entries_[slot].state != Entry::State::free) free(entries_[slot], slot);
  reap();
  for (int* fd : {&shared_.rtp, &shared_.rtcp}) {
    if (*fd >= 0) ::close(*fd);
    *fd = -1;
  }
}

Engine::Entry* Engine::entryOf(CallRef call) { return const_cast<Entry*>(std::as_const(*this).entryOf(call)); }

const Engine::Entry* Engine::entryOf(CallRef call) const {
  if (call.slot >= entries_.size()) return nullptr;
  const Entry& entry = entries_[call.slot];
  return entry.state == Entry::State::open && entry.generation == call.generation ? &entry : nullptr;
}

Clip* Engine::clipOf(CallRef call, uint32_t clip) {
  Entry* entry = entryOf(call);
  if (entry == nullptr) return nullptr;
  const auto found = entry->clips.find(clip);
  return found == entry->clips.end() ? nullptr : found->second.get();
}

// Binds the next free pair of ports; they rotate, so that a late packet of a past call does not meet the next one.
int Engine::bindPorts(Sockets& sockets) {
  const auto size = static_cast<uint32_t>(portUsed_.size());
  for (uint32_t tried = 0; tried < size; tried++) {
    const uint32_t offset = lastPort_ = (lastPort_ + 1) % size;
    const uint32_t port = options_.portMin + offset;
    if (port % 2 != 0 || port >= options_.portMax || portUsed_[offset]) continue;
    UdpAddress local;
    if (!UdpAddress::parse(options_.host, static_cast<uint16_t>(port), local)) return EINVAL;
    sockets.rtp = openUdp(local);
    if (sockets.rtp == -EADDRINUSE) continue;
    if (sockets.rtp < 0) return -sockets.rtp;
    sockets.rtcp = openUdp(local.withNextPort());
    if (sockets.rtcp < 0) {
      ::close(sockets.rtp);
      if (sockets.rtcp == -EADDRINUSE) continue;
      return -sockets.rtcp;
    }
    portUsed_[offset] = true;
    sockets.port = static_cast<uint16_t>(port);
    return 0;
  }
  return EADDRINUSE;
}

uint32_t Engine::leastLoadedPhase() const {
  // Few calls share few slots (each slot is a wake-up of the media thread, 20 us on a small machine), many spread over all
  // (each call before it in its slot delays a frame by 3 us).
  struct Grid {
    uint32_t stepMs;
    uint32_t most;
  };
  uint32_t best = 0;
  for (const Grid grid : {Grid{4, 20}, Grid{2, 30}, Grid{1, UINT32_MAX}}) {
    best = 0;
    for (uint32_t phase = 0; phase < phaseLoad_.size(); phase += grid.stepMs)
      if (phaseLoad_[phase] < phaseLoad_[best]) best = phase;
    if (phaseLoad_[best] < grid.most) break;
  }
  return best;
}

// Calls that are closing free their ports and slots within a tick: worth waiting for when nothing else is free.
void Engine::waitForClosing() {
  for (uint32_t i = 0; i < kMostClosingWaits && closing_ > 0; i++) {
    usleep(1000);
    reap();
  }
}

bool Engine::cleaningAvailable() { return SpeexDsp::find() != nullptr; }

Engine::Opened Engine::open(Codec receive, Codec send, uint8_t dtmfPayloadType, CleanOptions clean) {
  Opened opened;
  reap();
  if (openCalls_ + closing_ >= entries_.size()) waitForClosing();
  if (openCalls_ + closing_ >= entries_.size()) {
    opened.error = OpenError::callsExhausted;
    return opened;
  }
  Sockets sockets;
  sockets.port = shared_.port;
  int error = options_.sharedSocket ? 0 : bindPorts(sockets);
  if (error == EADDRINUSE && closing_ > 0) {
    waitForClosing();
    error = bindPorts(sockets);
  }
  if (error != 0) {
    opened.error = error == EADDRINUSE ? OpenError::portsExhausted : OpenError::system;
    opened.systemError = error;
    return opened;
  }
  opened.port = sockets.port;
  const auto count = static_cast<uint32_t>(entries_.size());
  do lastSlot_ = (lastSlot_ + 1) % count;
  while (entries_[lastSlot_].state != Entry::State::free);

  Entry& entry = entries_[lastSlot_];
  entry.state = Entry::State::open;
  entry.generation = audio_.openSlot(lastSlot_);
  entry.fd = sockets.rtp;
  entry.rtcpFd = sockets.rtcp;
  entry.port = opened.port;
  entry.phase = leastLoadedPhase();
  entry.wireHz = infoOf(send).rateHz;
  entry.nextClip = 1;
  entry.cleaner = Cleaner::make(infoOf(receive).rateHz, entry.wireHz, clean);
  phaseLoad_[entry.phase]++;
  openCalls_++;
  opened.call = {lastSlot_, entry.generation};

  Command* order = command(CommandType::open, opened.call);
  order->fd = sockets.rtp;
  order->rtcpFd = sockets.rtcp;
  order->a = entry.phase;
  order->session = randomStart();
  order->session.slot = lastSlot_;
  order->session.generation = entry.generation;
  order->session.receive = receive;
  order->session.send = send;
  order->session.dtmfPayloadType = dtmfPayloadType;
  order->session.cleaner = entry.cleaner.get();
  thread_->post(order);
  return opened;
}

Command* Engine::command(CommandType type, CallRef call) {
  for (Command* spent = thread_->takeSpent(); spent != nullptr;) {
    Command* next = spent->next;
    delete spent;
    spent = next;
  }
  auto* made = new Command();
  made->type = type;
  made->slot = call.slot;
  made->generation = call.generation;
  return made;
}

bool Engine::setRemote(CallRef call, const std::string& host, uint16_t port) {
  if (entryOf(call) == nullptr) return false;
  UdpAddress local;
  UdpAddress remote;
  if (!UdpAddress::parse(host, port, remote) || !UdpAddress::parse(options_.host, port, local)) return false;
  if (local.storage.ss_family != remote.storage.ss_family) return false;
  Command* order = command(CommandType::remote, call);
  order->remote = remote;
  thread_->post(order);
  return true;
}

bool Engine::control(CallRef call, Control what, float value) {
  if (entryOf(call) == nullptr) return false;
  Command* order = command(CommandType::control, call);
  order->control = what;
  order->value = value;
  thread_->post(order);
  return true;
}

bool Engine::sendDtmf(CallRef call, char digit, uint32_t durationMs) {
  if (entryOf(call) == nullptr || eventOfDigit(digit) < 0) return false;
  Command* order = command(CommandType::dtmf, call);
  order->a = static_cast<uint32_t>(digit);
  order->b = durationMs;
  thread_->post(order);
  return true;
}

bool Engine::close(CallRef call) {
  Entry* entry = entryOf(call);
  if (entry == nullptr) return false;
  entry->state = Entry::State::closing;
  openCalls_--;
  closing_++;
  thread_->post(command(CommandType::close, call));
  return true;
}

std::shared_ptr<const FilterBank> Engine::bankFor(uint32_t rateHz, uint32_t wireHz) {
  if (rateHz == wireHz) return nullptr;
  auto& bank = banks_[uint64_t{rateHz} << 32 | wireHz];
  if (bank == nullptr) bank = std::make_shared<const FilterBank>(rateHz, wireHz);
  return bank;
}

uint32_t Engine::openClip(CallRef call, uint32_t rateHz, bool held, std::vector<uint64_t> marks, bool loop) {
  Entry* entry = entryOf(call);
  if (entry == nullptr || !rateSupported(rateHz)) return 0;
  const uint32_t id = entry->nextClip++;
  auto clip = std::make_unique<Clip>(id, rateHz, held, bankFor(rateHz, entry->wireHz), std::move(marks), loop);
  Command* order = command(CommandType::addClip, call);
  order->clip = clip.get();
  entry->clips.emplace(id, std::move(clip));
  thread_->post(order);
  return id;
}

bool Engine::writeClip(CallRef call, uint32_t clip, std::span<const int16_t> pcm) {
  Clip* found = clipOf(call, clip);
  if (found != nullptr) found->append(pcm);
  return found != nullptr;
}

bool Engine::endClip(CallRef call, uint32_t clip) {
  Clip* found = clipOf(call, clip);
  if (found != nullptr) found->end();
  return found != nullptr;
}

bool Engine::releaseClip(CallRef call, uint32_t clip) {
  if (clipOf(call, clip) == nullptr) return false;
  Command* order = command(CommandType::releaseClip, call);
  order->a = clip;
  thread_->post(order);
  return true;
}

bool Engine::lastRound(CallRef call, uint32_t clip) {
  Clip* found = clipOf(call, clip);
  if (found != nullptr) found->lastRound();
  return found != nullptr;
}

bool Engine::stopClip(CallRef call, uint32_t clip, uint32_t fadeMs) {
  if (clipOf(call, clip) == nullptr) return false;
  Command* order = command(CommandType::stopClip, call);
  order->a = clip;
  order->b = fadeMs;
  thread_->post(order);
  return true;
}

size_t Engine::drain(Event* out, size_t capacity) {
  thread_->rearmNotify();
  size_t count = 0;
  while (count < capacity && thread_->popEvent(out[count])) {
    const Event& event = out[count++];
    if (event.type != EventType::clipPlayed && event.type != EventType::clipStopped) continue;
    // The media thread has let go of the clip.
    if (Entry* entry = entryOf({event.slot, event.generation}); entry != nullptr) entry->clips.erase(event.a);
  }
  reap();
  return count;
}

const SessionStats* Engine::stats(CallRef call) const {
  return entryOf(call) == nullptr ? nullptr : &thread_->sessionStats(call.slot);
}

void Engine::free(Entry& entry, uint32_t slot) {
  if (entry.state == Entry::State::closing) {
    closing_--;
  } else {
    openCalls_--;
  }
  if (entry.fd >= 0) {
    ::close(entry.fd);
    ::close(entry.rtcpFd);
    portUsed_[entry.port - options_.portMin] = false;
  }
  audio_.closeSlot(slot);
  entry.clips.clear();
  entry.cleaner.reset();
  phaseLoad_[entry.phase]--;
  entry.fd = entry.rtcpFd = -1;
  entry.state = Entry::State::free;
}

void Engine::reap() {
  uint32_t slot = 0;
  while (thread_->popClosed(slot))
    if (entries_[slot].state != Entry::State::free) free(entries_[slot], slot);
}

}  // namespace parley
