// The trace generator against its golden values (seed 1), and ingest over all traces.
#include <cmath>

#include "ingest_run.h"
#include "tap.h"
#include "traces.h"

namespace {

struct Golden {
  const char* name;
  size_t packets;
  size_t lost;
  double meanTransit;
  double maxTransit;
  double firstArrival;
};

constexpr Golden kGolden[] = {
    {"clean", 6000, 0, 20.1603, 20.875, 20.194885},
    {"lan_jitter", 6000, 0, 21.6026, 28.749, 21.948853},
    {"wan_exp8_loss1", 5925, 75, 28.3891, 98.836, 35.717147},
    {"ssrc_ts_jump", 5925, 75, 28.3891, 98.836, 35.717147},
    {"ts_jump_only", 5925, 75, 28.3891, 98.836, 35.717147},
    {"burst_bloat", 5979, 21, 23.7212, 192.851, 20.806305},
    {"reorder_dup", 6016, 10, 22.9626, 79.235, 23.929287},
    {"ge_loss3", 5781, 219, 24.0160, 59.418, 27.858573},
    {"ge_loss10", 5367, 633, 26.0838, 79.127, 31.787860},
    {"drift+200ppm", 30000, 0, 21.1939, 26.675, 21.461640},
    {"drift-200ppm", 30000, 0, 21.1939, 26.675, 21.461640},
    {"route_step", 6000, 0, 45.3123, 106.581, 23.929287},
    {"dtx", 3402, 39, 28.3381, 87.028, 35.717147},
    {"wifi_pareto", 5974, 26, 24.9934, 420.000, 27.242179},
};

}  // namespace

TEST("traces: the generator gives its golden values") {
  for (const Golden& golden : kGolden) {
    const traces::Trace trace = traces::make(golden.name, 1);
    std::printf("# %s: %zu packets, %zu lost\n", golden.name, trace.packets.size(), trace.lost);
    CHECK_EQ(trace.packets.size(), golden.packets);
    CHECK_EQ(trace.lost, golden.lost);
    double sum = 0.0;
    double most = 0.0;
    for (const traces::Packet& packet : trace.packets) {
      sum += packet.arrivalMs - packet.sendMs;
      most = std::max(most, packet.arrivalMs - packet.sendMs);
    }
    CHECK_NEAR(sum / static_cast<double>(trace.packets.size()), golden.meanTransit, 0.00006);
    CHECK_NEAR(most, golden.maxTransit, 0.0006);
    CHECK_NEAR(trace.packets.front().arrivalMs, golden.firstArrival, 0.000001);
  }
}

TEST("ingest: over every trace and five seeds, nothing beyond the network's loss is concealed and the order is kept") {
  for (const std::string& name : traces::names()) {
    for (uint64_t seed = 1; seed <= 5; seed++) {
      const traces::Trace trace = traces::make(name, seed);
      const IngestRun run = runIngest(trace);
      const double lossPercent = 100.0 * static_cast<double>(trace.lost) / static_cast<double>(trace.spokenCount);
      // wifi_pareto: single packets up to 400 ms late are given up after 80 ms.
      const double allowed = name == "wifi_pareto" ? 0.54 : 0.011;
      CHECK(run.inOrder);
      CHECK(run.concealedPercent <= lossPercent + allowed);
      if (run.concealedPercent > lossPercent + allowed)
        std::printf("# %s seed %d: %.3f %% concealed, %.3f %% lost\n", name.c_str(), static_cast<int>(seed), run.concealedPercent,
                    lossPercent);
      CHECK(run.delayP50Ms <= 10.0);
      // The time line neither loses nor gains audio: every frame not lost came through once.
      CHECK_EQ(run.delivered + run.late + trace.lost, trace.spokenCount);
    }
  }
}
