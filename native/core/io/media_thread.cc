#include "io/media_thread.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

namespace parley {

namespace {
constexpr MonoUs kTickUs = 1000;
constexpr int64_t kMostTicksToCatchUp = 100;
constexpr int64_t kMostTicksAsleep = 4;
constexpr MonoUs kLateUs = 10000;
constexpr int kFifoPriority = 20;
constexpr int kNice = -10;
constexpr uint32_t kEventsInRing = 32768;
constexpr uint32_t kTokensPerSecond = 400;
constexpr uint32_t kMostTokens = 400;
constexpr uint64_t kForeignBeforeFilter = 64;
constexpr uint64_t kPacketsBeforeFilter = 128;
constexpr uint64_t kCpuEveryTicks = 64;
constexpr int kCommandsPerTick = 64;
constexpr MonoUs kNotifyUs = 5000;
constexpr MonoUs kReportUs = 5000000;
constexpr MonoUs kFirstReportUs = 1000000;
constexpr uint32_t kRtcpTag = 0x80000000u;

size_t roundUpToPower(size_t n) { return std::bit_ceil(std::max<size_t>(n, 2)); }
}  // namespace

MediaThread::MediaThread(AudioMemory& audio, uint32_t maxCalls, bool realtime, void (*notify)(void*), void* notifyContext)
    : pool_(64 + 8 * maxCalls),
      mostSendEvents_(4 * maxCalls + 64),
      sendEvents_(mostSendEvents_, true),
      events_(kEventsInRing),
      closed_(roundUpToPower(maxCalls + 1)),
      realtime_(realtime),
      notify_(notify),
      notifyContext_(notifyContext),
      peers_(maxCalls) {
  EventSink& sink = *this;
  calls_.fill(maxCalls, pool_, audio, sink);
  for (auto& slot : wheel_) slot.reserve(maxCalls);
  gaps_.reserve(maxCalls);
}

MediaThread::~MediaThread() {
  stop();
  for (int fd : {wakeFd_, epollFd_})
    if (fd >= 0) close(fd);
  for (Command* rest : {pending_, inbox_.takeAll(), spent_.takeAll()}) {
    while (rest != nullptr) {
      Command* next = rest->next;
      delete rest;
      rest = next;
    }
  }
}

void MediaThread::share(int rtpFd, int rtcpFd) {
  sharedFd_ = rtpFd;
  sharedRtcpFd_ = rtcpFd;
  inbound_ = std::make_unique<Inbound>();
  for (size_t i = 0; i < kBatch; i++) {
    inbound_->parts[i] = {inbound_->buffers[i].data(), inbound_->buffers[i].size()};
    msghdr& header = inbound_->messages[i].msg_hdr;
    header.msg_iov = &inbound_->parts[i];
    header.msg_iovlen = 1;
    header.msg_name = &inbound_->from[i].storage;
  }
}

int MediaThread::start() {
  if (calls_.size() == 0) return ENOMEM;
  wakeFd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wakeFd_ < 0) return errno;
  epollFd_ = epoll_create1(EPOLL_CLOEXEC);
  if (epollFd_ < 0) return errno;
  // Signals belong to the owner's threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(&thread_, nullptr, &MediaThread::entry, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  running_ = error == 0;
  return error;
}

void MediaThread::stop() {
  if (!running_) return;
  stopping_.store(true, std::memory_order_seq_cst);
  const uint64_t one = 1;
  (void)!write(wakeFd_, &one, sizeof(one));
  pthread_join(thread_, nullptr);
  running_ = false;
}

void MediaThread::post(Command* command) {
  inbox_.push(command);
  if (!sleeping_.load(std::memory_order_seq_cst)) return;  // the next tick takes it
  const uint64_t one = 1;
  (void)!write(wakeFd_, &one, sizeof(one));
}

void* MediaThread::entry(void* self) {
  auto* thread = static_cast<MediaThread*>(self);
  thread->setUp();
  thread->run();
  return nullptr;
}

void MediaThread::setUp() {
  pthread_setname_np(pthread_self(), "parley-media");
  sched_param parameter{};
  parameter.sched_priority = kFifoPriority;
  if (realtime_ && pthread_setschedparam(pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &parameter) == 0) {
    stats.fifo.set(1);
    return;
  }
  const auto tid = static_cast<id_t>(syscall(SYS_gettid));
  setpriority(PRIO_PROCESS, tid, kNice);
}

// Without calls there are no ticks: it sleeps until the owner posts something.
void MediaThread::sleepUntilPosted() {
  // Either the owner sees `sleeping_` after its push, or the push is seen here.
  sleeping_.store(true, std::memory_order_seq_cst);
  pollfd wake{wakeFd_, POLLIN, 0};
  if (pending_ == nullptr && inbox_.empty()) poll(&wake, 1, -1);
  sleeping_.store(false, std::memory_order_relaxed);
  uint64_t count = 0;
  if ((wake.revents & POLLIN) != 0) (void)!read(wakeFd_, &count, sizeof(count));
}

// The next tick that has frames to send, or something to wait for; at latest after 4 ms, so that packets are not left lying.
int64_t MediaThread::nextTick() const {
  if (!gaps_.empty() || pending_ != nullptr) return lastTick_ + 1;
  int64_t tick = lastTick_ + 1;
  while (tick < lastTick_ + kMostTicksAsleep && wheel_[static_cast<size_t>(tick % kSlots)].empty()) tick++;
  return tick;
}

void MediaThread::run() {
  while (!stopping_.load(std::memory_order_seq_cst)) {
    if (active_ == 0) {
      sleepUntilPosted();
      const MonoUs nowUs = monoNowUs();
      lastTick_ = nowUs / kTickUs;
      takeCommands(nowUs);
      if (eventsWaiting_) notifyOwner(nowUs);
      continue;
    }
    const MonoUs dueUs = nextTick() * kTickUs;
    const timespec due{dueUs / 1000000, dueUs % 1000000 * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr);
    const MonoUs nowUs = monoNowUs();
    tick(nowUs);
    // A first event wakes the owner at once; those that follow within 5 ms come together, so that a thousand calls cost it
    // 200 wake-ups a second at most. Without calls there is no later tick to wait for.
    if (eventsWaiting_ && (active_ == 0 || nowUs - lastNotifyUs_ >= kNotifyUs)) notifyOwner(nowUs);
  }
  for (Call& call : calls_)
    if (call.active) closeCall(call);
}

void MediaThread::tick(MonoUs nowUs) {
  const int64_t current = nowUs / kTickUs;
  if (current - lastTick_ > kMostTicksToCatchUp) {
    const int64_t skipped = current - lastTick_ - 1;
    stats.ticksSkipped.add(static_cast<uint64_t>(skipped));
    lastTick_ = current - 1;
  }
  // Frames that were not prepared ahead (few calls, so few frames) shall still heed what was ordered before their slot.
  if (preparedTick_ != current) takeCommands(nowUs);
  while (lastTick_ < current) {
    lastTick_++;
    sendTick(lastTick_);
  }
  stats.ticks.add();
  publishSendEvents(nowUs);
  if (preparedTick_ == current) takeCommands(nowUs);
  drainSockets(nowUs);
  pollGaps(nowUs);
  if (!wheel_[static_cast<size_t>((lastTick_ + 1) % kSlots)].empty()) {
    preparedTick_ = lastTick_ + 1;
    for (Call* call : wheel_[static_cast<size_t>(preparedTick_ % kSlots)])
      if (call->hasRemote && preparedTick_ >= call->startTick && !call->prepared) prepare(*call, preparedTick_);
  }
  if (stats.ticks.get() % kCpuEveryTicks == 0) {
    timespec cpu{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    stats.cpuUs.set(static_cast<uint64_t>(cpu.tv_sec) * 1000000 + static_cast<uint64_t>(cpu.tv_nsec) / 1000);
  }
}

void MediaThread::sendTick(int64_t tick) {
  const auto& slot = wheel_[static_cast<size_t>(tick % kSlots)];
  for (Call* call : slot)
    if (call->hasRemote && tick >= call->startTick) sendFrame(*call, tick);
  flushBatch(tick);
  // After the frames of the slot, what each call needs every 20 ms.
  const MonoUs nowUs = monoNowUs();
  for (Call* call : slot) {
    call->session.poll(nowUs);
    if (call->hasRemote && nowUs >= call->nextReportUs) sendReport(*call, nowUs);
  }
}

void MediaThread::sendFrame(Call& call, int64_t tick) {
  if (!call.prepared) prepare(call, tick);
  call.prepared = false;
  if (call.fd < 0) {
    batchFrame(call);
    if (batched_ == kSendBatch) flushBatch(tick);
    return;
  }
  const auto send = [&call] {
    return call.connected ? ::send(call.fd, call.frame.data(), call.frameBytes, MSG_DONTWAIT)
                          : sendto(call.fd, call.frame.data(), call.frameBytes, MSG_DONTWAIT,
                                   reinterpret_cast<const sockaddr*>(&call.remote.storage), call.remote.length);
  };
  ssize_t sent = send();
  // The refusal of an earlier frame is told by the next call, which then sends nothing.
  if (sent < 0 && errno == ECONNREFUSED) sent = send();
  noteSent(call, sent >= 0, monoNowUs() - tick * kTickUs);
}

void MediaThread::batchFrame(Call& call) {
  batchCalls_[batched_] = &call;
  batchParts_[batched_] = {call.frame.data(), call.frameBytes};
  msghdr& header = batch_[batched_].msg_hdr;
  header = {};
  header.msg_name = &call.remote.storage;
  header.msg_namelen = call.remote.length;
  header.msg_iov = &batchParts_[batched_];
  header.msg_iovlen = 1;
  batched_++;
}

void MediaThread::flushBatch(int64_t tick) {
  for (size_t at = 0; at < batched_;) {
    const int sent = sendmmsg(sharedFd_, &batch_[at], static_cast<unsigned>(batched_ - at), MSG_DONTWAIT);
    const MonoUs lateUs = monoNowUs() - tick * kTickUs;
    for (int i = 0; i < sent; i++) noteSent(*batchCalls_[at++], true, lateUs);
    // It stops at the first that cannot be sent; the others go on.
    if (at < batched_ && sent <= 0) noteSent(*batchCalls_[at++], false, lateUs);
  }
  batched_ = 0;
}

void MediaThread::noteSent(Call& call, bool sent, MonoUs lateUs) {
  if (!sent) {
    // Refused, unreachable or a full buffer: the frame is lost like any packet; the next slot tries again.
    call.session.stats.sendErrors.add();
    stats.sendErrors.add();
  } else {
    stats.packetsSent.add();
  }
  call.session.frameSent();
  stats.sendLateness.add(lateUs);
  if (lateUs > kLateUs) stats.framesLate.add();
}

void MediaThread::prepare(Call& call, int64_t tick) {
  const auto slotIndex = static_cast<uint64_t>((tick - call.startTick) / kSlots);
  call.frameBytes = call.session.renderFrame(slotIndex, call.frame.data());
  call.prepared = true;
}

// Every 5 s on average, by half more or less, so that calls do not report in step (RFC 3550 section 6.2).
void MediaThread::sendReport(Call& call, MonoUs nowUs) {
  call.random = call.random * 1664525u + 1013904223u;
  call.nextReportUs = nowUs + kReportUs / 2 + static_cast<MonoUs>(call.random >> 8) * kReportUs / (1 << 24);
  const int fd = call.fd < 0 ? sharedRtcpFd_ : call.rtcpFd;
  if (fd < 0) return;
  std::array<uint8_t, kMaxRtcpBytes> report;
  const size_t bytes = call.session.writeReport(report.data(), nowUs);
  // A peer without RTCP refuses it: no harm, and not counted as a lost frame.
  (void)!sendto(fd, report.data(), bytes, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&call.rtcpRemote.storage),
                call.rtcpRemote.length);
}

// At most so many per tick, in order: a thousand calls opened at once shall not make the frames of others late.
void MediaThread::takeCommands(MonoUs nowUs) {
  for (int taken = 0; taken < kCommandsPerTick; taken++) {
    if (pending_ == nullptr) pending_ = inbox_.takeAll();
    if (pending_ == nullptr) return;
    Command* command = pending_;
    pending_ = command->next;
    apply(*command, nowUs);
    spent_.push(command);
  }
}

void MediaThread::rebuildPeers() {
  peersChanged_ = false;
  peers_.clear();
  for (Call& call : calls_)
    if (call.active && call.hasRemote && call.fd < 0) peers_.add(&call);
}

void MediaThread::apply(const Command& command, MonoUs nowUs) {
  if (command.type == CommandType::open) return openCall(command, nowUs);
  Call& call = calls_[command.slot];
  if (!call.active || call.session.generation() != command.generation) return;
  switch (command.type) {
    case CommandType::open:
      return;
    case CommandType::close:
      return closeCall(call);
    case CommandType::remote:
      return setRemote(call, command.remote, nowUs);
    case CommandType::addClip:
      return call.session.playout().add(command.clip);
    case CommandType::releaseClip:
      return call.session.playout().release(command.a);
    case CommandType::stopClip:
      return call.session.playout().stopClip(command.a, command.b);
    case CommandType::control:
      return control(call, command.control, command.value);
    case CommandType::dtmf:
      return call.session.sendDtmf(static_cast<char>(command.a), command.b);
  }
}

void MediaThread::control(Call& call, Control what, float value) {
  Playout& playout = call.session.playout();
  switch (what) {
    case Control::stop:
      return playout.stop();
    case Control::gain:
      return playout.gain(value);
    case Control::pause:
      return playout.pause();
    case Control::resume:
      return playout.resume();
    case Control::secure:
      return call.session.secure(value == 0.0f ? Secure::off : value == 1.0f ? Secure::on : Secure::spoken);
  }
}

void MediaThread::openCall(const Command& command, MonoUs nowUs) {
  Call& call = calls_[command.slot];
  call.fd = command.fd;
  call.rtcpFd = command.rtcpFd;
  call.random = command.session.ssrc;
  call.nextReportUs = nowUs + kFirstReportUs;
  call.phase = command.a;
  call.active = true;
  call.hasRemote = call.connected = call.prepared = call.inGapList = false;
  call.tokens = kMostTokens;
  call.tokensAtUs = nowUs;
  call.session.open(command.session, nowUs);
  wheel_[call.phase].push_back(&call);
  if (call.fd >= 0) watch(call.fd, command.slot);
  if (call.rtcpFd >= 0) watch(call.rtcpFd, command.slot | kRtcpTag);
  active_++;
}

void MediaThread::watch(int fd, uint32_t tag) {
  epoll_event interest{};
  interest.events = EPOLLIN;
  interest.data.u32 = tag;
  epoll_ctl(epollFd_, EPOLL_CTL_ADD, fd, &interest);
}

void MediaThread::closeCall(Call& call) {
  call.session.close();
  call.active = call.hasRemote = false;
  peersChanged_ = peersChanged_ || call.fd < 0;
  if (call.fd >= 0) epoll_ctl(epollFd_, EPOLL_CTL_DEL, call.fd, nullptr);
  if (call.rtcpFd >= 0) epoll_ctl(epollFd_, EPOLL_CTL_DEL, call.rtcpFd, nullptr);
  std::erase(wheel_[call.phase], &call);
  if (call.inGapList) std::erase(gaps_, &call);
  call.inGapList = false;
  active_--;
  closed_.push(call.session.slot());
  eventsWaiting_ = true;
}

void MediaThread::setRemote(Call& call, const UdpAddress& remote, MonoUs nowUs) {
  const bool first = !call.hasRemote;
  const bool moved = !first && !(call.remote == remote);
  if (first) {
    // The ticks that this thread slept through are still to come, but not for this call: it would begin with a late frame.
    const int64_t past = std::max(lastTick_, nowUs / kTickUs - 1);
    const int64_t ahead = (static_cast<int64_t>(call.phase) - past % kSlots + kSlots) % kSlots;
    call.startTick = past + (ahead == 0 ? kSlots : ahead);
  } else if (moved) {
    call.session.remoteChanged();
  }
  if (call.fd < 0) {
    // On a shared socket an address is one call. The PBX gave it to this one, so an older call that has it is over.
    if (peersChanged_) rebuildPeers();
    Call* older = peers_.find(remote);
    if (older != nullptr && older != &call) older->hasRemote = false;
    peersChanged_ = moved || (older != nullptr && older != &call);
  }
  call.remote = remote;
  call.rtcpRemote = remote.withNextPort();
  call.hasRemote = true;
  if (call.fd < 0 && first && !peersChanged_) peers_.add(&call);
  if (call.connected) connect(call.fd, reinterpret_cast<const sockaddr*>(&remote.storage), remote.length);
}

void MediaThread::drainSockets(MonoUs nowUs) {
  if (sharedFd_ >= 0) return drainShared(nowUs);
  // One datagram per socket and pass: no call waits for another's flood, and a socket that is empty costs no system call.
  std::array<epoll_event, 256> ready;
  size_t left = kPacketsPerTick;
  for (int pass = 0; pass < kPacketsPerSocket; pass++) {
    const int count = epoll_wait(epollFd_, ready.data(), static_cast<int>(std::min(ready.size(), left)), 0);
    for (int i = 0; i < count; i++) {
      const uint32_t tag = ready[static_cast<size_t>(i)].data.u32;
      if (i + 1 < count) calls_[ready[static_cast<size_t>(i) + 1].data.u32 & ~kRtcpTag].session.warm();
      Call& call = calls_[tag & ~kRtcpTag];
      if (call.active) readSocket(call, (tag & kRtcpTag) != 0, nowUs);
    }
    left -= std::min(left, static_cast<size_t>(std::max(count, 0)));
    // What is left waits for the next tick; the kernel reports first those that were not looked at.
    if (count <= 0 || left == 0) return;
  }
}

// The shared socket is asked every tick, without the detour of being told: a socket that is watched costs its watcher a call
// for every frame that leaves it.
void MediaThread::drainShared(MonoUs nowUs) {
  if (peersChanged_) rebuildPeers();
  for (size_t left = kPacketsPerTick, got = kBatch; got == kBatch && left > 0; left -= std::min(left, got)) got = readShared(false, nowUs);
  readShared(true, nowUs);
}

size_t MediaThread::readShared(bool rtcp, MonoUs nowUs) {
  Inbound& in = *inbound_;
  for (size_t i = 0; i < kBatch; i++) in.messages[i].msg_hdr.msg_namelen = sizeof(in.from[i].storage);
  const int received = recvmmsg(rtcp ? sharedRtcpFd_ : sharedFd_, in.messages.data(), kBatch, MSG_DONTWAIT, nullptr);
  const auto got = static_cast<size_t>(std::max(received, 0));
  for (size_t i = 0; i < got; i++) in.calls[i] = peers_.find(rtcp ? in.from[i].withPreviousPort() : in.from[i]);
  for (size_t i = 0; i < got; i++) {
    if (i + 1 < got && in.calls[i + 1] != nullptr) in.calls[i + 1]->session.warm();
    Call* call = in.calls[i];
    if (call == nullptr) {
      stats.strays.add();
    } else if ((in.messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      call->session.countDrop(Drop::badLength);
    } else if (rtcp) {
      receiveRtcp(*call, {in.buffers[i].data(), in.messages[i].msg_len}, in.from[i], nowUs);
    } else {
      receive(*call, {in.buffers[i].data(), in.messages[i].msg_len}, in.from[i], nowUs);
    }
  }
  return got;
}

void MediaThread::readSocket(Call& call, bool rtcp, MonoUs nowUs) {
  UdpAddress from;
  from.length = sizeof(from.storage);
  // An error (an ICMP refusal on a connected socket) is taken off the socket by this call and ends it.
  const ssize_t got = recvfrom(rtcp ? call.rtcpFd : call.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT | MSG_TRUNC,
                               reinterpret_cast<sockaddr*>(&from.storage), &from.length);
  if (got < 0) return;
  if (static_cast<size_t>(got) > buffer_.size()) return call.session.countDrop(Drop::badLength);
  const std::span<const uint8_t> datagram(buffer_.data(), static_cast<size_t>(got));
  if (rtcp) {
    receiveRtcp(call, datagram, from, nowUs);
  } else {
    receive(call, datagram, from, nowUs);
  }
}

void MediaThread::receive(Call& call, std::span<const uint8_t> datagram, const UdpAddress& from, MonoUs nowUs) {
  stats.packetsReceived.add();
  if (!call.hasRemote) return call.session.countDrop(Drop::noRemote);
  if (!(from == call.remote)) {
    call.session.countDrop(Drop::foreignSource);
    filterAfter(call, call.session.stats.dropped[static_cast<size_t>(Drop::foreignSource)].get() >= kForeignBeforeFilter);
    return;
  }
  filterAfter(call, call.session.stats.packetsReceived.get() >= kPacketsBeforeFilter);
  if (!withinRate(call, nowUs)) return call.session.countFlood();
  call.session.receive(datagram, nowUs);
  if (!call.session.gapPending() || call.inGapList) return;
  call.inGapList = true;
  gaps_.push_back(&call);
}

void MediaThread::receiveRtcp(Call& call, std::span<const uint8_t> datagram, const UdpAddress& from, MonoUs nowUs) {
  if (!call.hasRemote) return call.session.countDrop(Drop::noRemote);
  if (!(from == call.rtcpRemote)) return call.session.countDrop(Drop::foreignSource);
  if (!withinRate(call, nowUs)) return call.session.countFlood();
  call.session.receiveRtcp(datagram, nowUs);
}

// Enough has been seen of strays, or of the peer: from here the kernel keeps all others out, so that a flood cannot fill this
// call's buffer, and a frame out needs no search for its way.
void MediaThread::filterAfter(Call& call, bool enough) {
  if (enough && !call.connected && call.fd >= 0)
    call.connected = connect(call.fd, reinterpret_cast<const sockaddr*>(&call.remote.storage), call.remote.length) == 0;
}

bool MediaThread::withinRate(Call& call, MonoUs nowUs) {
  const auto earned = static_cast<uint64_t>((nowUs - call.tokensAtUs) * kTokensPerSecond / 1000000);
  if (earned > 0) {
    call.tokens = static_cast<uint32_t>(std::min<uint64_t>(kMostTokens, call.tokens + earned));
    call.tokensAtUs = nowUs;
  }
  if (call.tokens == 0) return false;
  call.tokens--;
  return true;
}

void MediaThread::pollGaps(MonoUs nowUs) {
  for (size_t i = 0; i < gaps_.size();) {
    Call& call = *gaps_[i];
    if (call.session.gapPending() && nowUs >= call.session.gapDeadlineUs()) call.session.poll(nowUs);
    if (call.session.gapPending()) {
      i++;
      continue;
    }
    call.inGapList = false;
    gaps_[i] = gaps_.back();
    gaps_.pop_back();
  }
}

void MediaThread::publishSendEvents(MonoUs nowUs) {
  for (size_t i = 0; i < sendEventCount_; i++) {
    sendEvents_[i].atUs = nowUs;
    event(sendEvents_[i]);
  }
  sendEventCount_ = 0;
}

void MediaThread::event(const Event& event) {
  if (!events_.push(event)) stats.eventsLost.add();
  eventsWaiting_ = true;
}

void MediaThread::eventAtSend(const Event& waiting) {
  // An event beyond what there is room for goes out at once, a millisecond early.
  if (sendEventCount_ == mostSendEvents_) return event(waiting);
  sendEvents_[sendEventCount_++] = waiting;
}

void MediaThread::notifyOwner(MonoUs nowUs) {
  eventsWaiting_ = false;
  lastNotifyUs_ = nowUs;
  if (notify_ != nullptr && !notified_.exchange(true, std::memory_order_seq_cst)) notify_(notifyContext_);
}

}  // namespace parley
