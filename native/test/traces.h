// Seeded network traces: the arrivals of one caller's 20 ms frames over fourteen kinds of network. The generator is defined
// by arithmetic alone (xorshift64), so that any implementation gives the same arrivals; its golden values are tested.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace traces {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull + 1) {}
  double uniform() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<double>(state_ >> 11) / 9007199254740992.0;
  }
  double exponential(double mean) { return -mean * std::log(1.0 - uniform()); }
  double gauss() {
    const double u1 = uniform();
    const double u2 = uniform();
    return std::sqrt(-2.0 * std::log(1.0 - u1)) * std::cos(6.283185307 * u2);
  }

 private:
  uint64_t state_;
};

struct Packet {
  double arrivalMs = 0;
  double sendMs = 0;
  int64_t frame = 0;
  uint16_t seq = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 1;
  bool marker = false;
  bool duplicate = false;
};

struct Trace {
  std::string name;
  std::vector<Packet> packets;  // in the order of arrival
  std::vector<bool> spoken;     // per frame: the caller sent something
  size_t spokenCount = 0;
  size_t lost = 0;
};

inline const std::vector<std::string>& names() {
  static const std::vector<std::string> all{"clean",        "lan_jitter",   "wan_exp8_loss1", "burst_bloat", "reorder_dup",
                                            "ge_loss3",     "ge_loss10",    "drift+200ppm",   "drift-200ppm", "route_step",
                                            "dtx",          "ssrc_ts_jump", "ts_jump_only",   "wifi_pareto"};
  return all;
}

inline Trace make(const std::string& name, uint64_t seed) {
  Trace trace;
  trace.name = name;
  Random random(seed);
  const bool drift = name == "drift+200ppm" || name == "drift-200ppm";
  const double rate = name == "drift+200ppm" ? 0.0002 : name == "drift-200ppm" ? -0.0002 : 0.0;
  const int64_t frames = (drift ? 600000 : 120000) / 20;
  const bool fifo = name != "reorder_dup" && name != "wifi_pareto";

  uint16_t seq = 65000;
  double queue = 0.0;
  bool bad = false;
  bool talking = true;
  double left = 1200.0;
  bool mark = true;
  double latest = -1e9;
  for (int64_t k = 0; k < frames; k++) {
    const double send = 20.0 * static_cast<double>(k) * (1.0 + rate);
    bool spoken = true;
    if (name == "dtx") {
      left -= 20.0;
      if (left <= 0.0) {
        talking = !talking;
        left = talking ? 400.0 + random.exponential(1200.0) : 200.0 + random.exponential(800.0);
        if (talking) mark = true;
      }
      spoken = talking;
    }
    double beyond = 0.0;
    bool drop = false;
    if (name == "clean") {
      beyond = 0.2 * std::abs(random.gauss());
    } else if (name == "lan_jitter") {
      beyond = 2.0 * std::abs(random.gauss());
    } else if (name == "wan_exp8_loss1" || name == "dtx" || name == "ssrc_ts_jump" || name == "ts_jump_only") {
      beyond = random.exponential(8.0);
      drop = random.uniform() < 0.01;
    } else if (name == "burst_bloat") {
      if (random.uniform() < 1.0 / 250.0) queue += 60.0 + 100.0 * random.uniform();
      beyond = queue + random.exponential(2.0);
      queue = std::max(0.0, queue - 15.0);
      drop = random.uniform() < 0.003;
    } else if (name == "reorder_dup") {
      beyond = random.exponential(2.0);
      if (random.uniform() < 0.03) beyond += 25.0 + 20.0 * random.uniform();
      drop = random.uniform() < 0.002;
    } else if (name == "ge_loss3" || name == "ge_loss10") {
      beyond = random.exponential(name == "ge_loss3" ? 4.0 : 6.0);
      const double enter = name == "ge_loss3" ? 0.0103 : 0.037;
      const double u = random.uniform();
      bad = bad ? !(u < 1.0 / 3.0) : u < enter;
      drop = bad;
    } else if (drift) {
      beyond = 1.5 * std::abs(random.gauss());
    } else if (name == "route_step") {
      beyond = random.exponential(2.0);
      if (send > 40000.0 && send < 80000.0) beyond += 70.0;
    } else if (name == "wifi_pareto") {
      beyond = std::min(400.0, 3.0 / std::pow(1.0 - random.uniform(), 1.0 / 1.6) - 3.0);
      drop = random.uniform() < 0.005;
    }
    trace.spoken.push_back(spoken);
    if (!spoken) continue;
    trace.spokenCount++;
    Packet packet;
    packet.frame = k;
    packet.sendMs = send;
    packet.timestamp = static_cast<uint32_t>(4294900000ull + 160ull * static_cast<uint64_t>(k));
    const bool jumped = k >= frames / 2;
    if (name == "ssrc_ts_jump" && jumped) {
      packet.ssrc = 2;
      packet.timestamp += 12345678u;
      if (k == frames / 2) seq = static_cast<uint16_t>(seq + 1000);
    }
    if (name == "ts_jump_only" && jumped) packet.timestamp += 80000u;
    if ((name == "ssrc_ts_jump" || name == "ts_jump_only") && k == frames / 2) mark = true;
    packet.seq = seq++;
    packet.marker = mark;
    mark = false;
    packet.arrivalMs = send + 20.0 + beyond;
    if (drop) {
      trace.lost++;
      continue;
    }
    if (fifo) {
      packet.arrivalMs = std::max(packet.arrivalMs, latest + 0.05);
      latest = packet.arrivalMs;
    }
    trace.packets.push_back(packet);
    if (name == "reorder_dup" && random.uniform() < 0.005) {
      packet.arrivalMs += 3.0;
      packet.duplicate = true;
      trace.packets.push_back(packet);
    }
  }
  std::stable_sort(trace.packets.begin(), trace.packets.end(),
                   [](const Packet& a, const Packet& b) { return a.arrivalMs < b.arrivalMs; });
  return trace;
}

}  // namespace traces
