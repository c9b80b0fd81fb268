// Micro-benches of the core: parley_core_bench codec | resample | ingest | gate, one JSON object per line.
// CPU time of the thread, batches of about a millisecond, the least of many: what the code costs when nothing disturbs it.
// The peer (speexdsp) is loaded when the machine has it (libspeexdsp1), so building needs nothing.
#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "codec/g711.h"
#include "dsp/filter_bank.h"
#include "dsp/upsampler.h"
#include "gate/talk_gate.h"
#include "ingest_run.h"
#include "playout/playout.h"
#include "tone.h"
#include "traces.h"
#include "util/simd.h"

using namespace parley;

namespace {

double cpuNs() {
  timespec ts{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return static_cast<double>(ts.tv_sec) * 1e9 + static_cast<double>(ts.tv_nsec);
}

// Nanoseconds per call of `work`, which gets a running number.
double leastNs(const std::function<void(size_t)>& work) {
  size_t at = 0;
  size_t batch = 1;
  while (true) {
    const double start = cpuNs();
    for (size_t i = 0; i < batch; i++) work(at++);
    if (cpuNs() - start > 1e6) break;
    batch *= 2;
  }
  double least = 1e18;
  for (int round = 0; round < 50; round++) {
    const double start = cpuNs();
    for (size_t i = 0; i < batch; i++) work(at++);
    least = std::min(least, (cpuNs() - start) / static_cast<double>(batch));
  }
  return least;
}

void print(const std::string& name, double value, const char* unit = "ns") {
  std::printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"}\n", name.c_str(), value, unit);
  std::fflush(stdout);
}

constexpr size_t kCalls = 1000;

// Speech-like levels: what a thousand calls hold at once, so that no cache and no branch predictor learns one frame.
std::vector<int16_t> thousandFrames(size_t frame) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  std::vector<int16_t> pcm(kCalls * frame);
  double low = 0.0;
  for (auto& sample : pcm) {
    low = 0.9 * low + normal(random);
    sample = static_cast<int16_t>(std::clamp(low * 900.0, -32768.0, 32767.0));
  }
  return pcm;
}

void codec() {
  const auto pcm = thousandFrames(160);
  std::vector<uint8_t> ulaw(pcm.size());
  std::vector<uint8_t> alaw(pcm.size());
  ulawEncode(pcm.data(), ulaw.data(), pcm.size());
  alawEncode(pcm.data(), alaw.data(), pcm.size());
  std::vector<int16_t> out(pcm.size());
  std::vector<uint8_t> bytes(pcm.size());
  // The peer: table loops, as anybody would write them.
  std::vector<int16_t> decodeTable[2] = {std::vector<int16_t>(256), std::vector<int16_t>(256)};
  std::vector<uint8_t> encodeTable[2] = {std::vector<uint8_t>(65536), std::vector<uint8_t>(65536)};
  for (size_t i = 0; i < 256; i++) {
    decodeTable[0][i] = ulawExpand(static_cast<uint8_t>(i));
    decodeTable[1][i] = alawExpand(static_cast<uint8_t>(i));
  }
  for (size_t i = 0; i < 65536; i++) {
    encodeTable[0][i] = ulawCompress(static_cast<int16_t>(static_cast<uint16_t>(i)));
    encodeTable[1][i] = alawCompress(static_cast<int16_t>(static_cast<uint16_t>(i)));
  }
  const auto frame = [](size_t n) { return n % kCalls * 160; };
  for (bool wide : {true, false}) {
    simdAllowed() = wide;
    const std::string suffix = wide ? "" : ".baseline";
    print("ulaw.decode" + suffix, leastNs([&](size_t n) { ulawDecode(&ulaw[frame(n)], &out[frame(n)], 160); }));
    print("alaw.decode" + suffix, leastNs([&](size_t n) { alawDecode(&alaw[frame(n)], &out[frame(n)], 160); }));
    print("ulaw.encode" + suffix, leastNs([&](size_t n) { ulawEncode(&pcm[frame(n)], &bytes[frame(n)], 160); }));
    print("alaw.encode" + suffix, leastNs([&](size_t n) { alawEncode(&pcm[frame(n)], &bytes[frame(n)], 160); }));
  }
  simdAllowed() = true;
  const std::vector<uint8_t>* codes[2] = {&ulaw, &alaw};
  for (size_t law = 0; law < 2; law++) {
    const std::string name = law == 0 ? "ulaw" : "alaw";
    print(name + ".decode.table", leastNs([&](size_t n) {
            const uint8_t* in = &(*codes[law])[frame(n)];
            int16_t* to = &out[frame(n)];
            const int16_t* table = decodeTable[law].data();
            for (size_t i = 0; i < 160; i++) to[i] = table[in[i]];
          }));
    print(name + ".encode.table", leastNs([&](size_t n) {
            const int16_t* in = &pcm[frame(n)];
            uint8_t* to = &bytes[frame(n)];
            const uint8_t* table = encodeTable[law].data();
            for (size_t i = 0; i < 160; i++) to[i] = table[static_cast<uint16_t>(in[i])];
          }));
  }
  size_t wrong = 0;
  for (size_t i = 0; i < 65536; i++) {
    const auto sample = static_cast<int16_t>(static_cast<uint16_t>(i));
    uint8_t code = 0;
    ulawEncode(&sample, &code, 1);
    wrong += code != encodeTable[0][i] ? 1 : 0;
  }
  print("mismatches", static_cast<double>(wrong), "samples");
}

// speexdsp's resampler and jitter buffer, by name: their C interfaces are stable.
struct Speex {
  void* library = dlopen("libspeexdsp.so.1", RTLD_NOW);
  template <typename Function>
  Function* get(const char* name) const {
    return library == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(library, name));
  }
};

struct NoEvents final : PlayoutSink {
  void playoutEvent(const PlayoutEvent&) override {}
};

void resampleQuality(uint32_t rate) {
  FilterBank bank(rate, 8000);
  double least = 1e9, most = -1e9, alias = -1e9;
  const auto convert = [&](double hz) {
    std::vector<int16_t> in = toneOf(rate + bank.taps(), hz, 16384, rate);
    std::vector<int16_t> out(8000 - 200);
    filterBlock(bank, in.data(), -static_cast<int64_t>(bank.taps() / 2), 0, out.size(), out.data());
    return out;
  };
  for (double hz = 200; hz <= 3400; hz += 200) {
    const double gain = decibel(fitTone(middle(convert(hz)), hz, 8000).amplitude / 16384.0);
    least = std::min(least, gain);
    most = std::max(most, gain);
  }
  for (double hz = 4600; hz < 0.49 * rate; hz += 210) alias = std::max(alias, decibel(rmsOf(middle(convert(hz))) / 11585.2));
  const std::string name = std::to_string(rate) + ">8000";
  print(name + ".ripple", most - least, "dB");
  print(name + ".alias", alias, "dB");
  print(name + ".delay", 1000.0 * bank.taps() / 2 / rate, "ms");
}

void resample() {
  Speex speex;
  using Init = void*(uint32_t, uint32_t, uint32_t, int, int*);
  using Process = int(void*, uint32_t, const float*, uint32_t*, float*, uint32_t*);
  using ProcessInt = int(void*, uint32_t, const int16_t*, uint32_t*, int16_t*, uint32_t*);
  auto* init = speex.get<Init>("speex_resampler_init");
  auto* process = speex.get<Process>("speex_resampler_process_float");
  auto* processInt = speex.get<ProcessInt>("speex_resampler_process_int");

  struct Pair {
    uint32_t in;
    uint32_t out;
  };
  for (const Pair& pair : {Pair{8000, 16000}, Pair{16000, 8000}, Pair{22050, 8000}, Pair{24000, 8000}, Pair{48000, 8000}}) {
    const std::string name = std::to_string(pair.in) + ">" + std::to_string(pair.out);
    const size_t inFrame = pair.in / 50;
    const auto pcm = thousandFrames(inFrame);
    std::vector<int16_t> out(2000);
    for (bool wide : {true, false}) {
      simdAllowed() = wide;
      double ns = 0.0;
      if (pair.in == 8000) {
        Upsampler upsampler;
        ns = leastNs([&](size_t n) { upsampler.process(std::span(pcm).subspan(n % kCalls * inFrame, inFrame), out.data()); });
      } else {
        // As playout does it: history in front, outputs where they fall.
        FilterBank bank(pair.in, pair.out);
        std::vector<int16_t> work(bank.taps() + inFrame + 8);
        uint64_t first = 0;
        ns = leastNs([&](size_t n) {
          std::memmove(work.data(), work.data() + inFrame, bank.taps() * sizeof(int16_t));
          std::memcpy(work.data() + bank.taps(), &pcm[n % kCalls * inFrame], inFrame * sizeof(int16_t));
          const auto start = static_cast<int64_t>(first * bank.step() / bank.phases()) - bank.taps() / 2;
          filterBlock(bank, work.data(), start, first, 160, out.data());
          first += 160;
        });
      }
      print(name + (wide ? "" : ".baseline"), ns);
    }
    simdAllowed() = true;
    if (init == nullptr) continue;
    int error = 0;
    void* state = init(1, pair.in, pair.out, 5, &error);
    std::vector<float> floats(pcm.begin(), pcm.end());
    std::vector<float> floatOut(2000);
    print(name + ".speex5", leastNs([&](size_t n) {
            auto inCount = static_cast<uint32_t>(inFrame);
            uint32_t outCount = 2000;
            process(state, 0, &floats[n % kCalls * inFrame], &inCount, floatOut.data(), &outCount);
          }));
    void* intState = init(1, pair.in, pair.out, 5, &error);
    print(name + ".speex5int", leastNs([&](size_t n) {
            auto inCount = static_cast<uint32_t>(inFrame);
            uint32_t outCount = 2000;
            processInt(intState, 0, &pcm[n % kCalls * inFrame], &inCount, out.data(), &outCount);
          }));
  }
  for (uint32_t rate : {16000u, 22050u, 24000u, 48000u}) resampleQuality(rate);
  double least = 1e9, most = -1e9, image = -1e9;
  for (double hz = 200; hz <= 3400; hz += 200) {
    Upsampler upsampler;
    const auto in = toneOf(8000, hz, 16384, 8000);
    std::vector<int16_t> out(16000);
    for (size_t at = 0; at < in.size(); at += 160) upsampler.process(std::span(in).subspan(at, 160), &out[2 * at]);
    const ToneFit fit = fitTone(middle(out), hz, 16000);
    least = std::min(least, decibel(fit.amplitude / 16384.0));
    most = std::max(most, decibel(fit.amplitude / 16384.0));
    image = std::max(image, decibel(fit.residual / 11585.2));
  }
  print("8000>16000.ripple", most - least, "dB");
  print("8000>16000.alias", image, "dB");
  print("8000>16000.delay", 2.0, "ms");
}

// speexdsp's jitter buffer over the same trace: a 20 ms tick from the first arrival + 7 ms on; what is missing at its tick
// in talk, or inserted by the buffer, counts as concealed.
struct SpeexJitter {
  struct Packet {
    char* data;
    uint32_t length;
    uint32_t timestamp;
    uint32_t span;
    uint16_t sequence;
    uint32_t userData;
  };
  using Init = void*(int);
  using Destroy = void(void*);
  using Put = void(void*, const Packet*);
  using Get = int(void*, Packet*, int32_t, int32_t*);
  using Tick = void(void*);
  explicit SpeexJitter(const Speex& speex)
      : init(speex.get<Init>("jitter_buffer_init")), destroy(speex.get<Destroy>("jitter_buffer_destroy")), put(speex.get<Put>("jitter_buffer_put")),
        get(speex.get<Get>("jitter_buffer_get")), tick(speex.get<Tick>("jitter_buffer_tick")), reset(speex.get<Tick>("jitter_buffer_reset")) {}
  Init* init;
  Destroy* destroy;
  Put* put;
  Get* get;
  Tick* tick;
  Tick* reset;

  double concealedPercent(const traces::Trace& trace) const {
    void* buffer = init(160);
    std::vector<char> bytes(8);
    size_t concealed = 0;
    size_t next = 0;
    const double endMs = 20.0 * static_cast<double>(trace.spoken.size());
    uint32_t ssrc = 1;
    for (double nowMs = trace.packets.front().arrivalMs + 7.0; nowMs < endMs + 500.0; nowMs += 20.0) {
      for (; next < trace.packets.size() && trace.packets[next].arrivalMs <= nowMs; next++) {
        const traces::Packet& packet = trace.packets[next];
        if (packet.ssrc != ssrc) reset(buffer);
        ssrc = packet.ssrc;
        Packet in{bytes.data(), 1, packet.timestamp, 160, packet.seq, 0};
        put(buffer, &in);
      }
      Packet out{bytes.data(), 8, 0, 0, 0, 0};
      int32_t offset = 0;
      const int result = get(buffer, &out, 160, &offset);
      const auto frame = static_cast<size_t>(std::max(0.0, nowMs / 20.0));
      const bool talk = frame < trace.spoken.size() && trace.spoken[frame];
      if (talk && (result == 2 || (result == 1 && nowMs < endMs))) concealed++;
      tick(buffer);
    }
    destroy(buffer);
    return 100.0 * static_cast<double>(concealed) / static_cast<double>(trace.spokenCount);
  }
};

void ingest() {
  const Speex speex;
  const SpeexJitter peer(speex);
  constexpr uint64_t kSeeds = 5;
  for (const std::string& name : traces::names()) {
    double loss = 0, concealed = 0, p50 = 0, p95 = 0, p99 = 0, late = 0, theirs = 0;
    for (uint64_t seed = 1; seed <= kSeeds; seed++) {
      const traces::Trace trace = traces::make(name, seed);
      const IngestRun run = runIngest(trace);
      loss += 100.0 * static_cast<double>(trace.lost) / static_cast<double>(trace.spokenCount) / kSeeds;
      late += 100.0 * static_cast<double>(run.late) / static_cast<double>(trace.spokenCount) / kSeeds;
      concealed += run.concealedPercent / kSeeds;
      p50 += run.delayP50Ms / kSeeds;
      p95 += run.delayP95Ms / kSeeds;
      p99 += run.delayP99Ms / kSeeds;
      if (peer.init != nullptr) theirs += peer.concealedPercent(trace) / kSeeds;
    }
    print(name + ".loss", loss, "%");
    print(name + ".late", late, "%");
    print(name + ".beyond", std::max(0.0, concealed - loss), "%");
    print(name + ".p50", p50, "ms");
    print(name + ".p95", p95, "ms");
    print(name + ".p99", p99, "ms");
    if (peer.init != nullptr) print(name + ".speex.beyond", std::max(0.0, theirs - loss), "%");
  }
  // CPU per packet, in order and with loss.
  for (const char* name : {"clean", "ge_loss10"}) {
    const traces::Trace trace = traces::make(name, 1);
    double least = 1e18;
    for (int round = 0; round < 10; round++) {
      const double start = cpuNs();
      runIngest(trace);
      least = std::min(least, (cpuNs() - start) / static_cast<double>(trace.spokenCount));
    }
    print(std::string(name) + ".cpu", least);
  }
}

void gate() {
  const auto pcm = thousandFrames(160);
  std::vector<TalkGate> gates(kCalls);
  size_t edges = 0;
  print("gate", leastNs([&](size_t n) {
          gates[n % kCalls].push(std::span(pcm).subspan(n % kCalls * 160, 160), true, [&](const TalkGateEdge&) { edges++; });
        }));
}

}  // namespace

int main(int count, char** arguments) {
  const std::map<std::string, void (*)()> benches{{"codec", codec}, {"resample", resample}, {"ingest", ingest}, {"gate", gate}};
  const auto found = count > 1 ? benches.find(arguments[1]) : benches.end();
  if (found == benches.end()) {
    std::fprintf(stderr, "usage: parley_core_bench codec | resample | ingest | gate\n");
    return 64;
  }
  found->second();
  return 0;
}
