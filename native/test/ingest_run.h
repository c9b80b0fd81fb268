// Feeds a trace to Ingest event by event, the way the media thread does but with exact deadlines, and measures what comes out.
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "ingest/ingest.h"
#include "traces.h"

struct IngestRun {
  double concealedPercent = 0;  // of spoken frames
  double delayP50Ms = 0;
  double delayP95Ms = 0;
  double delayP99Ms = 0;
  size_t delivered = 0;
  size_t late = 0;
  size_t duplicates = 0;
  uint64_t silenceSamples = 0;
  bool inOrder = true;
  std::vector<double> delaysMs;
};

class TraceSink final : public parley::IngestSink {
 public:
  explicit TraceSink(const traces::Trace& trace) : trace_(trace) {}
  // The payload carries the index of the packet in the trace.
  void audio(std::span<const uint8_t> payload, parley::MonoUs) override {
    const size_t index = static_cast<size_t>(payload[0]) << 16 | static_cast<size_t>(payload[1]) << 8 | payload[2];
    const traces::Packet& packet = trace_.packets[index];
    run.inOrder = run.inOrder && packet.frame > lastFrame_;
    lastFrame_ = packet.frame;
    run.delivered++;
    run.delaysMs.push_back(static_cast<double>(nowUs) / 1000.0 - packet.sendMs - 20.0);
  }
  void lost(uint32_t samples) override { concealedSamples += samples; }
  void silence(uint32_t samples) override { run.silenceSamples += samples; }

  IngestRun run;
  parley::MonoUs nowUs = 0;
  uint64_t concealedSamples = 0;

 private:
  const traces::Trace& trace_;
  int64_t lastFrame_ = -1;
};

inline IngestRun runIngest(const traces::Trace& trace, const parley::IngestConfig& config = {}) {
  parley::PayloadPool pool(256);
  TraceSink sink(trace);
  parley::Ingest ingest(pool, sink);
  ingest.open(config, 0);
  const auto feed = [&](const traces::Packet& packet, size_t index) {
    std::array<uint8_t, 160> payload{};
    payload[0] = static_cast<uint8_t>(index >> 16);
    payload[1] = static_cast<uint8_t>(index >> 8);
    payload[2] = static_cast<uint8_t>(index);
    parley::RtpView view;
    view.payloadType = 0;
    view.marker = packet.marker;
    view.seq = packet.seq;
    view.timestamp = packet.timestamp;
    view.ssrc = packet.ssrc;
    view.payload = payload;
    ingest.push(view, parley::PayloadKind::audio, 160, sink.nowUs);
  };
  // Slots of 20 ms poll as the media thread does; gaps end at their deadline.
  parley::MonoUs slotUs = 20000;
  const auto advance = [&](parley::MonoUs toUs) {
    while (true) {
      parley::MonoUs next = slotUs;
      if (ingest.gapPending()) next = std::min(next, ingest.deadlineUs());
      if (next > toUs) break;
      sink.nowUs = std::max(sink.nowUs, next);
      ingest.poll(sink.nowUs);
      if (next == slotUs) slotUs += 20000;
    }
    sink.nowUs = toUs;
  };
  for (size_t i = 0; i < trace.packets.size(); i++) {
    // A deadline and an arrival in the same microsecond: the arrival counts.
    const auto arrivalUs = static_cast<parley::MonoUs>(trace.packets[i].arrivalMs * 1000.0);
    advance(arrivalUs - 1);
    sink.nowUs = arrivalUs;
    feed(trace.packets[i], i);
  }
  advance(sink.nowUs + 500000);
  IngestRun run = std::move(sink.run);
  std::vector<double> sorted = run.delaysMs;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double p) {
    return sorted.empty() ? 0.0 : sorted[std::min(sorted.size() - 1, static_cast<size_t>(p * static_cast<double>(sorted.size())))];
  };
  run.delayP50Ms = at(0.50);
  run.delayP95Ms = at(0.95);
  run.delayP99Ms = at(0.99);
  run.late = ingest.counters().late;
  run.duplicates = ingest.counters().duplicates;
  run.concealedPercent = 100.0 * static_cast<double>(ingest.counters().concealed) / static_cast<double>(trace.spokenCount);
  return run;
}
