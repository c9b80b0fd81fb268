#include <string>
#include <vector>

#include "ingest/ingest.h"
#include "tap.h"

using namespace parley;

namespace {

// Writes the time line down: a letter per packet, '-' per lost frame, '_' per silent frame (20 ms each).
class Script final : public IngestSink {
 public:
  Script() : ingest(pool, *this) { ingest.open({}, 0); }

  void audio(std::span<const uint8_t> payload, MonoUs) override {
    line.push_back(static_cast<char>(payload[0]));
    samples += payload.size();
  }
  void lost(uint32_t count) override { fill('-', count); }
  void silence(uint32_t count) override { fill('_', count); }
  void fill(char c, uint32_t count) {
    samples += count;
    part += count;
    for (; part >= 160; part -= 160) line.push_back(c);
  }

  struct More {
    uint32_t ssrc = 1;
    bool marker = false;
    PayloadKind kind = PayloadKind::audio;
    size_t size = 160;
  };
  void push(char name, uint16_t seq, uint32_t timestamp) { push(name, seq, timestamp, More{}); }
  void push(char name, uint16_t seq, uint32_t timestamp, More more) {
    std::vector<uint8_t> payload(more.size, static_cast<uint8_t>(name));
    RtpView view;
    view.seq = seq;
    view.timestamp = timestamp;
    view.ssrc = more.ssrc;
    view.marker = more.marker;
    view.payload = payload;
    ingest.push(view, more.kind, more.kind == PayloadKind::audio ? static_cast<uint32_t>(more.size) : 0, nowUs);
  }
  void wait(MonoUs us) {
    for (MonoUs until = nowUs + us; nowUs < until;) {
      nowUs = std::min(until, nowUs + 1000);
      ingest.poll(nowUs);
    }
  }
  const IngestCounters& counters() const { return ingest.counters(); }

  PayloadPool pool{80};
  Ingest ingest;
  MonoUs nowUs = 0;
  std::string line;
  uint64_t samples = 0;
  uint32_t part = 0;
};

}  // namespace

TEST("ingest: in order at once; behind a gap after 40 ms, after 80 ms once the network reordered") {
  Script s;
  s.push('a', 1, 0);
  s.push('c', 3, 320);
  CHECK(s.line == "a");
  s.wait(39000);
  CHECK(s.line == "a");
  s.wait(1000);
  CHECK(s.line == "a-c");
  CHECK_EQ(s.counters().concealed, 1u);
  s.push('b', 2, 160);
  CHECK_EQ(s.counters().late, 1u);
  s.push('d', 4, 480);
  s.push('f', 6, 800);
  s.wait(79000);
  CHECK(s.line == "a-cd");
  s.push('e', 5, 640);
  CHECK(s.line == "a-cdef");
  s.push('h', 8, 1120);
  s.wait(80000);
  CHECK(s.line == "a-cdef-h");
}

TEST("ingest: a gap is as old as the packet that revealed it, also when it is not the first") {
  Script s;
  s.push('a', 1, 0);
  s.push('c', 3, 320);
  s.wait(20000);
  s.push('e', 5, 640);
  s.wait(20000);
  CHECK(s.line == "a-c");
  s.wait(20000);
  CHECK(s.line == "a-c-e");
}

TEST("ingest: both counters wrap, duplicates of any age are dropped") {
  Script s;
  for (uint32_t i = 0; i < 10; i++) {
    s.push(static_cast<char>('a' + i), static_cast<uint16_t>(65531 + i), 0xffffff00u + i * 160);
    s.push('!', static_cast<uint16_t>(65531 + i), 0xffffff00u + i * 160);
    if (i >= 5) s.push('!', static_cast<uint16_t>(65531 + i - 5), 0xffffff00u + (i - 5) * 160);
  }
  CHECK(s.line == "abcdefghij");
  CHECK_EQ(s.counters().duplicates, 15u);
  CHECK_EQ(s.counters().concealed, 0u);
}

TEST("ingest: renumbered sequence, timestamp gap: a short one is a hidden loss, a long one or a marked one a pause") {
  Script s;
  s.push('a', 1, 0);
  s.wait(40000);
  s.push('c', 2, 320);
  CHECK(s.line == "a-c");
  s.wait(180000);
  s.push('d', 3, 320 + 9 * 160);
  CHECK(s.line == "a-c________d");
  s.wait(40000);
  s.push('f', 4, 320 + 11 * 160, {.marker = true});
  CHECK(s.line == "a-c________d_f");
  CHECK_EQ(s.counters().concealed, 1u);
}

TEST("ingest: nothing arrives: the clock makes silence from the start and again after 200 ms; the stream comes back in place") {
  Script s;
  s.wait(100000);
  CHECK(s.line == "_____");
  s.push('a', 1, 5000);
  s.wait(199000);
  CHECK(s.line == "_____a");
  s.wait(2001000);
  CHECK_EQ(s.line.size(), 6u + (2200u - 60u) / 20u);
  // The next packet is 2.2 s later on the sender's clock too.
  s.push('b', 2, 5000 + 2200 * 8);
  CHECK_EQ(s.line.size(), 6u + 2200u / 20u - 1u + 1u);
  CHECK_EQ(s.line.back(), 'b');
  CHECK_EQ(s.counters().concealed, 0u);
  CHECK_EQ(s.counters().reanchored, 0u);
}

TEST("ingest: a stall of the network costs no audio, and the pushed time line is paid back in the next pause") {
  Script s;
  s.push('a', 1, 0);
  s.wait(400000);  // the clock filled 340 ms
  for (uint32_t i = 1; i <= 20; i++) s.push(static_cast<char>('a' + i), static_cast<uint16_t>(1 + i), i * 160);
  CHECK(s.line == "a_________________bcdefghijklmnopqrstu");
  s.wait(1000000);
  s.push('z', 22, 20 * 160 + 1000 * 8);
  // In all: 21 packets, 340 ms made too many, then a pause of 980 ms that pays them back.
  CHECK_EQ(s.samples, 21u * 160u + 980u * 8u + 160u);
}

TEST("ingest: timestamps that jump without time passing are another time line: no hole, no concealment") {
  Script s;
  s.push('a', 1, 0);
  s.wait(20000);
  s.push('b', 2, 80160);
  s.wait(20000);
  s.push('c', 3, 80320);
  s.push('d', 4, 100);
  CHECK(s.line == "abcd");
  CHECK_EQ(s.counters().reanchored, 2u);
  CHECK_EQ(s.counters().concealed, 0u);
}

TEST("ingest: one packet of another SSRC is a stray, two in a row while ours is silent are a transfer") {
  Script s;
  s.push('a', 1, 0);
  s.push('X', 9000, 5, {.ssrc = 2});
  s.push('b', 2, 160);
  s.push('X', 9001, 165, {.ssrc = 2});
  s.push('Y', 100, 165, {.ssrc = 3});
  s.push('c', 3, 320);
  CHECK(s.line == "abc");
  CHECK_EQ(s.counters().foreignSsrc, 3u);
  s.push('d', 500, 77777, {.ssrc = 4});
  s.push('e', 501, 77937, {.ssrc = 4});
  CHECK(s.line == "abcde");
  s.push('!', 4, 480);
  s.push('f', 502, 78097, {.ssrc = 4});
  CHECK(s.line == "abcdef");
  CHECK_EQ(s.counters().foreignSsrc, 4u);
  CHECK_EQ(s.pool.available(), 80u);
  s.push('X', 7, 0, {.ssrc = 5});
  s.wait(300000);
  CHECK_EQ(s.counters().foreignSsrc, 5u);
}

TEST("ingest: after the peer was changed on purpose any SSRC is believed at once") {
  Script s;
  s.push('a', 1, 0);
  s.push('c', 3, 320);
  s.ingest.relock();
  s.push('d', 900, 1, {.ssrc = 2});
  CHECK(s.line == "a-cd");
}

TEST("ingest: a sequence jump of one packet is a stray, of two the stream's new numbers") {
  Script s;
  s.push('a', 1, 0);
  s.push('X', 30000, 160);
  s.push('b', 2, 160);
  CHECK_EQ(s.counters().seqJump, 1u);
  s.push('c', 40000, 320);
  s.push('d', 40001, 480);
  CHECK(s.line == "abcd");
  CHECK_EQ(s.counters().concealed, 0u);
}

TEST("ingest: event packets take sequence numbers but no time") {
  Script s;
  s.push('a', 1, 0);
  for (uint16_t i = 2; i < 8; i++) {
    s.wait(20000);
    s.push('!', i, 160, {.kind = PayloadKind::event});
  }
  s.wait(20000);
  s.push('b', 8, 160 + 6 * 160);
  CHECK(s.line == "a______b");
  CHECK_EQ(s.counters().concealed, 0u);
}

TEST("ingest: a long loss is filled in its length, memory comes back, and a full pool gives up rather than wait") {
  Script s;
  s.push('a', 1, 0);
  for (uint16_t i = 0; i < 40; i++) s.push('h', static_cast<uint16_t>(20 + i), (19u + i) * 160);
  CHECK_EQ(s.pool.available(), 40u);
  s.wait(40000);
  CHECK_EQ(s.line.size(), 1u + 18u + 40u);
  CHECK_EQ(s.pool.available(), 80u);
  Script tiny;
  while (tiny.pool.take() != PayloadPool::kNone) {
  }
  tiny.push('a', 1, 0);
  tiny.push('c', 3, 320);
  CHECK_EQ(tiny.counters().overrun, 1u);
  tiny.push('d', 4, 480, {.ssrc = 9});
  CHECK_EQ(tiny.counters().overrun, 2u);
}

TEST("ingest: packets of 10, 30 and 60 ms lie on the same time line") {
  Script s;
  s.push('a', 1, 0, {.size = 80});
  s.push('b', 2, 80, {.size = 240});
  s.push('c', 3, 320, {.size = 480});
  s.wait(50000);
  s.push('e', 5, 1280, {.size = 480});
  s.wait(40000);
  CHECK_EQ(s.samples, 80u + 240u + 480u + 480u + 480u);
  CHECK_EQ(s.counters().concealed, 1u);
}

TEST("ingest: a clock that steps an hour ahead makes no hour of silence at once, and the line catches up by itself") {
  Script s;
  s.push('a', 1, 0);
  s.nowUs += 3600 * MonoUs{1000000};
  const uint64_t before = s.samples;
  s.ingest.poll(s.nowUs);
  CHECK_EQ(s.samples - before, 8000u);
  s.wait(20000);
  CHECK_EQ(s.samples - before, 21u * 8000u);  // a second for each look
  s.push('b', 2, 160);  // its sender's clock knows of no step
  CHECK_EQ(s.line.back(), 'b');
  CHECK_EQ(s.counters().concealed, 0u);
  // The sender paused for that hour, too: what was not made yet is not made by the packet either.
  s.nowUs += 3600 * MonoUs{1000000};
  s.ingest.poll(s.nowUs);
  const uint64_t then = s.samples;
  s.push('c', 3, 320 + 3600u * 8000u);
  CHECK_EQ(s.samples - then, 160u);
  CHECK_EQ(s.counters().reanchored, 1u);
  s.push('d', 4, 480 + 3600u * 8000u);
  CHECK_EQ(s.line.back(), 'd');
}

TEST("ingest: a clock that steps back stops nothing: packets pass, and silence goes on once it is made up") {
  Script s;
  s.nowUs = 10000000;
  s.push('a', 1, 0);
  s.nowUs -= 5000000;
  s.ingest.poll(s.nowUs);
  s.push('b', 2, 160);
  CHECK(s.line == "ab");
  s.wait(1000000);
  CHECK_EQ(s.line.size(), 2u + (1000u - 60u) / 20u);
}
