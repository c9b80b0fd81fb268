// The audio memory, the queues and the engine with its real thread and sockets. Run under ThreadSanitizer too.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "audio/memory.h"
#include "io/engine.h"
#include "io/udp.h"
#include "tap.h"
#include "util/histogram.h"
#include "util/pages.h"

using namespace parley;

namespace {

// True as soon as `condition` holds; false after 10 s. The machine may be busy.
template <typename Condition>
bool within10s(Condition condition) {
  for (int i = 0; i < 2000; i++) {
    if (condition()) return true;
    usleep(5000);
  }
  return false;
}

void sleepMs(int ms) { usleep(static_cast<useconds_t>(ms) * 1000); }

// The PBX's end of a call.
struct Peer {
  Peer() {
    UdpAddress any;
    UdpAddress::parse("127.0.0.1", 0, any);
    fd = openUdp(any);
    UdpAddress own;
    own.length = sizeof(own.storage);
    getsockname(fd, reinterpret_cast<sockaddr*>(&own.storage), &own.length);
    port = ntohs(reinterpret_cast<sockaddr_in*>(&own.storage)->sin_port);
  }
  ~Peer() { close(fd); }
  void send(uint16_t to, uint16_t seq, uint32_t ssrc = 1) {
    std::array<uint8_t, 172> packet;
    packet.fill(0xd5);
    writeRtpHeader(packet.data(), 0, false, seq, seq * 160u, ssrc);
    UdpAddress remote;
    UdpAddress::parse("127.0.0.1", to, remote);
    sendto(fd, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&remote.storage), remote.length);
  }
  size_t drain() {
    std::array<uint8_t, 2000> buffer;
    size_t count = 0;
    while (recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) count++;
    return count;
  }
  int fd = -1;
  uint16_t port = 0;
};

EngineOptions optionsFor(uint32_t calls, uint16_t ports) {
  static std::atomic<uint32_t> next{0};
  EngineOptions options;
  options.host = "127.0.0.1";
  options.portMin = static_cast<uint16_t>(12000 + (static_cast<uint32_t>(getpid()) % 40) * 400 + next.fetch_add(ports));
  options.portMin &= 0xfffe;
  options.portMax = static_cast<uint16_t>(options.portMin + ports - 1);
  options.maxCalls = calls;
  options.historyMs = 2000;
  options.realtime = false;
  return options;
}

size_t openFds() {
  size_t count = 0;
  for (int fd = 0; fd < 1024; fd++)
    if (fcntl(fd, F_GETFD) >= 0) count++;
  return count;
}

}  // namespace

TEST("audio memory: what a reader gets is whole, or it is told why not") {
  AudioMemory memory;
  CHECK_EQ(memory.create(3, 5000), 0);
  CHECK_EQ(memory.ringSamples(), 8192u);
  CHECK(parley_audio_valid(memory.data(), memory.bytes()));
  CHECK(!parley_audio_valid(memory.data(), memory.bytes() - 1));
  const uint32_t generation = memory.openSlot(1);
  std::vector<int16_t> pcm(320);
  std::vector<int16_t> out(8192);
  int16_t next = 0;
  for (int frame = 0; frame < 100; frame++) {
    for (auto& sample : pcm) sample = next++;
    memory.append(1, pcm, frame == 99 ? PARLEY_AUDIO_CONCEALED : 0);
  }
  uint8_t flags = 0;
  const auto read = [&](uint32_t slot, uint32_t gen, uint64_t from, uint64_t to) {
    return parley_audio_read(memory.data(), slot, gen, from, to, out.data(), &flags);
  };
  CHECK_EQ(read(1, generation, 31000, 32000), PARLEY_AUDIO_OK);
  for (size_t i = 0; i < 1000; i++) CHECK_EQ(out[i], static_cast<int16_t>(31000 + i));
  CHECK_EQ(flags, PARLEY_AUDIO_CONCEALED);
  CHECK_EQ(read(1, generation, 31000, 31680), PARLEY_AUDIO_OK);
  CHECK_EQ(flags, 0);
  CHECK_EQ(read(1, generation, 31000, 32001), PARLEY_AUDIO_NOT_YET);
  CHECK_EQ(read(1, generation, 32000 - 8192 - 32, 32000 - 8000), PARLEY_AUDIO_GONE);
  CHECK_EQ(read(1, generation, 32000 - 8192, 32000), PARLEY_AUDIO_OK);
  CHECK_EQ(read(1, generation + 2, 31000, 32000), PARLEY_AUDIO_CLOSED);
  CHECK_EQ(read(3, generation, 0, 1), PARLEY_AUDIO_BAD_RANGE);
  CHECK_EQ(read(1, generation, 2, 1), PARLEY_AUDIO_BAD_RANGE);
  CHECK_EQ(read(1, generation, 0, 9000), PARLEY_AUDIO_BAD_RANGE);
  memory.closeSlot(1);
  CHECK_EQ(read(1, generation, 31000, 32000), PARLEY_AUDIO_CLOSED);
  const uint32_t later = memory.openSlot(1);
  CHECK_EQ(later, generation + 2);
  CHECK_EQ(read(1, later, 0, 1), PARLEY_AUDIO_NOT_YET);
}

TEST("audio memory: nothing of a call is left when it closes, and nobody else can map it for writing") {
  AudioMemory memory;
  memory.create(1, 4096);
  memory.openSlot(0);
  memory.append(0, std::vector<int16_t>(4096, 0x5555), 0);
  memory.closeSlot(0);
  const auto* bytes = static_cast<const uint8_t*>(memory.data());
  size_t found = 0;
  for (uint64_t i = 4096; i < memory.bytes(); i++) found += bytes[i] == 0x55 ? 1 : 0;
  CHECK_EQ(found, 0u);
  CHECK(mmap(nullptr, memory.bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd(), 0) == MAP_FAILED);
  CHECK(mmap(nullptr, memory.bytes(), PROT_READ, MAP_SHARED, memory.fd(), 0) != MAP_FAILED);
  CHECK(ftruncate(memory.fd(), 10) != 0);
}

// Whether the kernel leaves the mapping that holds this address out of core files.
static bool isKeptFromCores(const void* memory) {
  std::ifstream maps("/proc/self/smaps");
  const auto at = reinterpret_cast<uintptr_t>(memory);
  bool isHere = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long from = 0;
    unsigned long to = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) isHere = from <= at && at < to;
    else if (isHere && line.rfind("VmFlags:", 0) == 0) return (line + " ").find(" dd ") != std::string::npos;
  }
  return false;
}

TEST("no audio and no key of a caller is in a core file") {
  AudioMemory memory;
  memory.create(1, 4096);
  CHECK(isKeptFromCores(memory.data()));
  PageArray<int16_t> clip(4096, true);
  CHECK(isKeptFromCores(clip.data()));
  ObjectArray<int> sessions;
  sessions.fill(2000);
  CHECK(isKeptFromCores(sessions.begin()));
  std::vector<int16_t> other(4096);
  CHECK(!isKeptFromCores(other.data()));
}

TEST("audio memory: what we sent lies beside it, by its own numbers, only where it was asked for") {
  AudioMemory without;
  without.create(1, 4096);
  int16_t sample = 0;
  CHECK_EQ(parley_audio_read_sent(without.data(), 0, without.openSlot(0), 0, 0, &sample), PARLEY_AUDIO_BAD_RANGE);
  AudioMemory memory;
  memory.create(2, 4096, true);
  CHECK(parley_audio_valid(memory.data(), memory.bytes()));
  CHECK(!parley_audio_valid(memory.data(), memory.bytes() - 1));
  const uint32_t generation = memory.openSlot(1);
  memory.append(1, std::vector<int16_t>(640, 5), 0);
  std::vector<int16_t> all;
  std::vector<int16_t> pcm(320);
  for (int frame = 0; frame < 40; frame++) {
    for (auto& value : pcm) value = static_cast<int16_t>(all.size() + static_cast<size_t>(&value - pcm.data()));
    memory.appendSent(1, pcm);
    all.insert(all.end(), pcm.begin(), pcm.end());
  }
  CHECK_EQ(parley_audio_slot_at(memory.data(), 1)->sent_origin_sample, 640u);
  std::vector<int16_t> out(4096);
  CHECK_EQ(parley_audio_read_sent(memory.data(), 1, generation, 12800 - 4096, 12800, out.data()), PARLEY_AUDIO_OK);
  CHECK(std::equal(out.begin(), out.end(), all.end() - 4096));
  CHECK_EQ(parley_audio_read_sent(memory.data(), 1, generation, 12800 - 4097, 12800 - 4000, out.data()), PARLEY_AUDIO_GONE);
  CHECK_EQ(parley_audio_read_sent(memory.data(), 1, generation, 12800, 12801, out.data()), PARLEY_AUDIO_NOT_YET);
  CHECK_EQ(parley_audio_read(memory.data(), 1, generation, 0, 640, out.data(), nullptr), PARLEY_AUDIO_OK);
  memory.closeSlot(1);
  CHECK_EQ(parley_audio_read_sent(memory.data(), 1, generation, 12000, 12800, out.data()), PARLEY_AUDIO_CLOSED);
}

TEST("audio memory: odd lengths and wraps, against a plain copy") {
  AudioMemory memory;
  memory.create(1, 4096);
  const uint32_t generation = memory.openSlot(0);
  std::vector<int16_t> all;
  uint32_t random = 1;
  while (all.size() < 40000) {
    random = random * 1664525 + 1013904223;
    std::vector<int16_t> piece(random >> 22 & 1023);
    for (auto& sample : piece) sample = static_cast<int16_t>(random = random * 1664525 + 1013904223);
    memory.append(0, piece, 0);
    all.insert(all.end(), piece.begin(), piece.end());
    const uint64_t from = all.size() > 4000 ? all.size() - 4000 : 0;
    std::vector<int16_t> out(all.size() - from);
    CHECK_EQ(parley_audio_read(memory.data(), 0, generation, from, all.size(), out.data(), nullptr), PARLEY_AUDIO_OK);
    CHECK(std::equal(out.begin(), out.end(), all.begin() + static_cast<std::ptrdiff_t>(from)));
  }
}

TEST("audio memory: a reader beside the writer never sees torn audio") {
  AudioMemory memory;
  memory.create(1, 1 << 16);
  const uint32_t generation = memory.openSlot(0);
  std::atomic<bool> enough{false};
  std::thread writer([&] {
    std::vector<int16_t> pcm(320);
    for (uint32_t frame = 0; !enough; frame++) {
      for (size_t i = 0; i < pcm.size(); i++) pcm[i] = static_cast<int16_t>(frame * 320 + i);
      memory.append(0, pcm, 0);
      if (frame % 16 == 0) std::this_thread::yield();
    }
  });
  size_t good = 0;
  std::vector<int16_t> out(1000);
  for (const MonoUs until = monoNowUs() + 20000000; good < 500 && monoNowUs() < until;) {
    const uint64_t to = parley_audio_write_sample(parley_audio_slot_at(memory.data(), 0));
    if (to < out.size()) continue;
    const uint64_t from = to - out.size();
    if (parley_audio_read(memory.data(), 0, generation, from, to, out.data(), nullptr) != PARLEY_AUDIO_OK) continue;
    good++;
    for (size_t i = 0; i < out.size(); i++) CHECK_EQ(out[i], static_cast<int16_t>(from + i));
  }
  enough = true;
  writer.join();
  CHECK_EQ(good, 500u);
}

TEST("queues: what one thread pushes the other pops, in order; a full ring refuses") {
  SpscRing<uint64_t> ring(8);
  for (uint64_t i = 0; i < 8; i++) CHECK(ring.push(i));
  CHECK(!ring.push(9));
  uint64_t value = 0;
  for (uint64_t i = 0; i < 8; i++) CHECK(ring.pop(value) && value == i);
  CHECK(!ring.pop(value));

  struct Node {
    Node* next;
    uint64_t value;
  };
  Mailbox<Node> mailbox;
  std::thread pusher([&] {
    for (uint64_t i = 0; i < 20000; i++) mailbox.push(new Node{nullptr, i});
  });
  uint64_t expected = 0;
  while (expected < 20000) {
    for (Node* node = mailbox.takeAll(); node != nullptr;) {
      CHECK_EQ(node->value, expected);
      expected++;
      Node* next = node->next;
      delete node;
      node = next;
    }
  }
  pusher.join();
}

TEST("histogram: percentiles within an eighth") {
  DurationHistogram histogram;
  for (int64_t i = 0; i < 1000; i++) histogram.add(i);
  CHECK_NEAR(histogram.percentileUs(0.5), 500, 63);
  CHECK_NEAR(histogram.percentileUs(0.99), 990, 125);
  CHECK_EQ(histogram.maxUs(), 999u);
  histogram.add(-5);
  histogram.add(int64_t{1} << 40);
  CHECK_EQ(histogram.maxUs(), uint64_t{1} << 40);
}

TEST("engine: a call sends 50 frames a second, hears, plays, and ends without a trace") {
  Peer peer;
  const size_t before = openFds();
  {
    Engine engine(optionsFor(4, 16));
    CHECK_EQ(engine.start(), 0);
    const Engine::Opened opened = engine.open(Codec::ulaw, Codec::alaw, 101);
    CHECK_EQ(opened.error, Engine::OpenError::none);
    CHECK(engine.setRemote(opened.call, "127.0.0.1", peer.port));
    CHECK(within10s([&] { return engine.stats(opened.call)->packetsSent.get() > 0; }));
    const uint32_t clip = engine.openClip(opened.call, 22050, false, {100});
    CHECK(clip > 0);
    CHECK(engine.writeClip(opened.call, clip, std::vector<int16_t>(2205, 500)));
    CHECK(engine.endClip(opened.call, clip));
    for (uint16_t i = 0; i < 20; i++) {
      peer.send(opened.port, i);
      sleepMs(20);
    }
    const SessionStats* counters = engine.stats(opened.call);
    CHECK(within10s([&] { return counters->packetsReceived.get() == 20 && counters->sentSample.get() > 3200; }));
    sleepMs(20);
    std::vector<Event> events(64);
    const size_t count = engine.drain(events.data(), events.size());
    bool started = false, marked = false, played = false, heard = false;
    for (size_t i = 0; i < count; i++) {
      started = started || events[i].type == EventType::clipStart;
      marked = marked || events[i].type == EventType::clipMark;
      played = played || (events[i].type == EventType::clipPlayed && events[i].b == 1600);
      heard = heard || events[i].type == EventType::rtpStart;
    }
    CHECK(started && marked && played && heard);
    CHECK(!engine.writeClip(opened.call, clip, std::vector<int16_t>(1)));
    const SessionStats* stats = engine.stats(opened.call);
    CHECK(stats != nullptr);
    if (stats != nullptr) CHECK_EQ(stats->packetsReceived.get(), 20u);
    if (stats != nullptr) {
      const uint64_t sentBefore = stats->packetsSent.get();
      const size_t heardFrames = peer.drain();
      CHECK(sentBefore > 0 && heardFrames + 1 >= sentBefore && heardFrames <= stats->packetsSent.get() + 1);
    }
    CHECK(engine.close(opened.call));
    CHECK(!engine.close(opened.call));
    CHECK(engine.stats(opened.call) == nullptr);
    CHECK(!engine.setRemote(opened.call, "127.0.0.1", 9));
  }
  CHECK_EQ(openFds(), before);
}

TEST("engine: calls come and go in every state while packets fly; ports and slots come back") {
  Engine engine(optionsFor(8, 32));
  CHECK_EQ(engine.start(), 0);
  Peer peer;
  std::vector<Event> events(256);
  uint32_t random = 7;
  std::vector<Engine::Opened> calls;
  for (int round = 0; round < 400; round++) {
    random = random * 1664525 + 1013904223;
    if (calls.size() < 8 && (random >> 28) < 10) {
      const CleanOptions clean{.noise = (random >> 15 & 1) != 0, .echo = (random >> 14 & 3) == 0};
      const Engine::Opened opened = engine.open(Codec::ulaw, Codec::ulaw, 101, clean);
      CHECK_EQ(opened.error, Engine::OpenError::none);
      engine.setRemote(opened.call, "127.0.0.1", peer.port);
      calls.push_back(opened);
    }
    for (const auto& call : calls) {
      peer.send(call.port, static_cast<uint16_t>(round + (random >> 30)), random >> 27 == 0 ? 9 : 1);
      const uint32_t clip = engine.openClip(call.call, (random >> 20 & 1) != 0 ? 8000 : 24000, (random >> 21 & 1) != 0, {});
      engine.writeClip(call.call, clip, std::vector<int16_t>(random >> 24, 99));
      if ((random >> 22 & 1) != 0) engine.endClip(call.call, clip);
      if ((random >> 19 & 1) != 0) engine.releaseClip(call.call, clip);
      engine.control(call.call, static_cast<Control>(random >> 16 & 3), 0.5f);
      engine.sendDtmf(call.call, '5', 60);
    }
    if (!calls.empty() && (random >> 8 & 7) == 0) {
      CHECK(engine.close(calls.front().call));
      calls.erase(calls.begin());
    }
    if (round % 16 == 0) sleepMs(3);
    engine.drain(events.data(), events.size());
  }
  CHECK_EQ(engine.openCalls(), calls.size());
}

TEST("engine: one socket for all calls: each hears its own peer, sends to it, and comes and goes without the others noticing") {
  EngineOptions options = optionsFor(8, 4);
  options.sharedSocket = true;
  const size_t before = openFds();
  {
    Engine engine(options);
    CHECK_EQ(engine.start(), 0);
    std::vector<std::unique_ptr<Peer>> peers;
    std::vector<Engine::Opened> calls;
    for (int i = 0; i < 8; i++) {
      peers.push_back(std::make_unique<Peer>());
      calls.push_back(engine.open(Codec::ulaw, Codec::ulaw, 101));
      CHECK_EQ(calls.back().port, calls.front().port);
      CHECK(engine.setRemote(calls.back().call, "127.0.0.1", peers.back()->port));
    }
    CHECK_EQ(engine.open(Codec::ulaw, Codec::ulaw, 101).error, Engine::OpenError::callsExhausted);
    for (const auto& call : calls) CHECK(within10s([&] { return engine.stats(call.call)->packetsSent.get() > 0; }));
    for (uint16_t seq = 0; seq < 30; seq++) {
      for (size_t i = 0; i < peers.size(); i++)
        if (seq % (i + 1) == 0) peers[i]->send(calls[0].port, seq, static_cast<uint32_t>(i));
      if (seq == 15) {
        CHECK(engine.close(calls[3].call));
        sleepMs(20);
      }
      sleepMs(5);
    }
    for (size_t i = 0; i < peers.size(); i++) {
      if (i == 3) continue;
      CHECK(within10s([&] { return engine.stats(calls[i].call)->packetsReceived.get() == (30 + i) / (i + 1); }));
      CHECK(within10s([&] { return peers[i]->drain() > 0; }));
    }
    CHECK(within10s([&] { return engine.threadStats().strays.get() > 0; }));
    // A new call gets the closed one's peer; a call that is given another's peer takes it over.
    std::vector<Event> events(256);
    engine.drain(events.data(), events.size());
    const auto again = engine.open(Codec::ulaw, Codec::ulaw, 101);
    CHECK_EQ(again.error, Engine::OpenError::none);
    engine.setRemote(again.call, "127.0.0.1", peers[0]->port);
    sleepMs(30);
    const uint64_t first = engine.stats(calls[0].call)->packetsReceived.get();
    peers[0]->send(calls[0].port, 100, 77);
    for (int i = 0; i < 200 && engine.stats(again.call)->packetsReceived.get() == 0; i++) sleepMs(10);
    CHECK_EQ(engine.stats(again.call)->packetsReceived.get(), 1u);
    CHECK_EQ(engine.stats(calls[0].call)->packetsReceived.get(), first);
    engine.setRemote(calls[0].call, "127.0.0.1", peers[3]->port);
    sleepMs(30);
    peers[3]->send(calls[0].port, 100, 0);
    for (int i = 0; i < 200 && engine.stats(calls[0].call)->packetsReceived.get() == first; i++) sleepMs(10);
    CHECK_EQ(engine.stats(calls[0].call)->packetsReceived.get(), first + 1);
  }
  CHECK_EQ(openFds(), before);
}

TEST("engine: exhausted ports and calls are errors, freed ones are found at once, impossible options are refused") {
  Engine engine(optionsFor(3, 4));
  CHECK_EQ(engine.start(), 0);
  const auto a = engine.open(Codec::ulaw, Codec::ulaw, 101);
  const auto b = engine.open(Codec::ulaw, Codec::ulaw, 101);
  CHECK_EQ(engine.open(Codec::ulaw, Codec::ulaw, 101).error, Engine::OpenError::portsExhausted);
  engine.close(a.call);
  const auto c = engine.open(Codec::ulaw, Codec::ulaw, 101);
  CHECK_EQ(c.error, Engine::OpenError::none);
  CHECK_EQ(c.port, a.port);
  CHECK(!engine.setRemote(b.call, "pbx.example", 1));
  CHECK(!engine.setRemote(b.call, "::1", 1));
  CHECK_EQ(engine.openClip(b.call, 8001, false, {}), 0u);
  CHECK(!engine.sendDtmf(b.call, 'x', 1));
  EngineOptions bad = optionsFor(1, 2);
  bad.host = "not an address";
  Engine broken(bad);
  CHECK_EQ(broken.start(), 0);
  CHECK_EQ(broken.open(Codec::ulaw, Codec::ulaw, 101).error, Engine::OpenError::system);
  bad.maxCalls = 0;
  CHECK(Engine(bad).start() != 0);
}
