// The far end of many calls: parley_media_load PORT SECONDS FIRST_LOCAL COUNT STRIDE [own]
// Binds 127.0.0.1:PORT (with `own`: PORT, PORT + 1, ... one for each call, as a PBX does), sends each of COUNT calls (ports
// FIRST_LOCAL, FIRST_LOCAL + STRIDE, ...) a mu-law frame every 20 ms, 40 % of the time speech-like, staggered, and reads what they
// send. Beside it a bare 20 ms timer of the same
// scheduling class as the media thread measures what the machine itself can do. Prints one JSON object at the end.
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "clock/mono.h"
#include "codec/g711.h"
#include "io/udp.h"
#include "rtp/packet.h"
#include "util/histogram.h"

using namespace parley;

namespace {

bool takeFifo() {
  sched_param parameter{};
  parameter.sched_priority = 20;
  return pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameter) == 0;
}

int armedTimer(long periodNs, MonoUs firstUs) {
  const int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  itimerspec spec{};
  spec.it_value = {firstUs / 1000000, firstUs % 1000000 * 1000};
  spec.it_interval = {0, periodNs};
  timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, nullptr);
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 64;
  const auto port = static_cast<uint16_t>(std::atoi(argv[1]));
  const double seconds = std::atof(argv[2]);
  const int first = std::atoi(argv[3]);
  const auto calls = static_cast<size_t>(std::atoi(argv[4]));
  const int stride = std::atoi(argv[5]);

  const bool own = argc > 6;
  std::vector<int> fds(own ? calls : 1);
  for (size_t i = 0; i < fds.size(); i++) {
    UdpAddress local;
    UdpAddress::parse("127.0.0.1", static_cast<uint16_t>(port + i), local);
    fds[i] = openUdp(local);
    if (fds[i] < 0) return 1;
  }
  const int buffer = 8 << 20;
  if (!own) setsockopt(fds[0], SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));

  std::atomic<bool> done{false};
  DurationHistogram bare;
  bool fifo = false;
  std::thread bareTimer([&] {
    fifo = takeFifo();
    const MonoUs start = monoNowUs() + 20000;
    const int timer = armedTimer(20000000, start);
    MonoUs due = start;
    uint64_t count = 0;
    while (!done && read(timer, &count, sizeof(count)) > 0) {
      due += static_cast<MonoUs>(count) * 20000;
      bare.add(monoNowUs() - (due - 20000));
    }
    close(timer);
  });
  std::atomic<uint64_t> received{0};
  std::thread receiver([&] {
    std::array<std::array<uint8_t, 512>, 64> buffers;
    std::array<iovec, 64> parts;
    std::array<mmsghdr, 64> messages{};
    for (size_t i = 0; i < 64; i++) {
      parts[i] = {buffers[i].data(), buffers[i].size()};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    while (!done) {
      bool more = false;
      for (const int fd : fds) {
        const int got = recvmmsg(fd, messages.data(), 64, MSG_DONTWAIT, nullptr);
        if (got > 0) received += static_cast<uint64_t>(got);
        more = more || got == 64;
      }
      if (!more) usleep(own ? 40000 : 2000);
    }
  });

  // Two seconds of sound: 0.8 s of voice-like noise, 1.2 s of quiet.
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  std::vector<int16_t> pcm(16000);
  double low = 0.0;
  for (size_t i = 0; i < pcm.size(); i++) {
    low = 0.9 * low + normal(random);
    pcm[i] = static_cast<int16_t>(low * (i < 6400 ? 1500.0 : 5.0));
  }
  std::vector<uint8_t> ulaw(pcm.size());
  ulawEncode(pcm.data(), ulaw.data(), pcm.size());

  std::vector<UdpAddress> targets(calls);
  for (size_t i = 0; i < calls; i++)
    UdpAddress::parse("127.0.0.1", static_cast<uint16_t>(first + static_cast<int>(i) * stride), targets[i]);
  const MonoUs start = monoNowUs() / 1000 * 1000 + 2000;
  const int timer = armedTimer(1000000, start);
  const auto ticks = static_cast<int64_t>(seconds * 1000);
  uint64_t count = 0;
  int64_t tick = 0;
  uint64_t sent = 0;
  std::array<uint8_t, 172> packet;
  while (tick < ticks && read(timer, &count, sizeof(count)) > 0) {
    for (uint64_t k = 0; k < count && tick < ticks; k++, tick++) {
      const auto frame = static_cast<uint32_t>(tick / 20);
      for (size_t call = static_cast<size_t>(tick % 20); call < calls; call += 20) {
        writeRtpHeader(packet.data(), 0, frame == 0, static_cast<uint16_t>(frame), frame * 160, static_cast<uint32_t>(call) + 1);
        const size_t at = (frame + call * 7) % 100 * 160;
        std::copy_n(ulaw.begin() + static_cast<std::ptrdiff_t>(at), 160, packet.begin() + kRtpHeaderBytes);
        sent += sendto(fds[own ? call : 0], packet.data(), packet.size(), MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&targets[call].storage),
                       targets[call].length) > 0
                    ? 1
                    : 0;
      }
    }
  }
  done = true;
  receiver.join();
  bareTimer.join();
  std::printf("{\"sent\":%llu,\"received\":%llu,\"fifo\":%d,\"bareP50Us\":%llu,\"bareP99Us\":%llu,\"bareP999Us\":%llu,\"bareMaxUs\":%llu}\n",
              static_cast<unsigned long long>(sent), static_cast<unsigned long long>(received.load()), fifo ? 1 : 0,
              static_cast<unsigned long long>(bare.percentileUs(0.5)), static_cast<unsigned long long>(bare.percentileUs(0.99)),
              static_cast<unsigned long long>(bare.percentileUs(0.999)), static_cast<unsigned long long>(bare.maxUs()));
  return 0;
}
