// Noise suppression and echo cancellation by two libraries (speexdsp as the media engine uses it), as filters, for bench/noise.ts.
// Usage: filter speex|webrtc noise|echo|both RATE_HZ DELAY_MS; stdin: frames of 10 ms, each the microphone's samples, then what
// was played; stdout: the cleaned frames; stderr: one JSON object with CPU time per 20 ms.
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "clean/cleaner.h"
#include "webrtc/modules/audio_processing/include/audio_processing.h"
#include "webrtc/modules/interface/module_common_types.h"

namespace {

double cpuUs() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

struct Filter {
  virtual ~Filter() = default;
  virtual void run(int16_t* near, const int16_t* far) = 0;
};

// The media engine's own use of speexdsp.
struct Speex final : Filter {
  Speex(bool noise, bool echo, int rate)
      : frame(static_cast<size_t>(rate / 100)), cleaner(parley::Cleaner::make(static_cast<uint32_t>(rate), static_cast<uint32_t>(rate), {noise, echo})) {}
  void run(int16_t* near, const int16_t* far) override {
    cleaner->sent({far, frame});
    // What comes out first is nothing: one frame late, as in a call.
    cleaner->push({near, frame}, 0, [&](std::span<const int16_t> pcm, uint8_t) { std::copy(pcm.begin(), pcm.end(), near); });
  }
  size_t frame;
  std::unique_ptr<parley::Cleaner> cleaner;
};

struct WebRtc final : Filter {
  WebRtc(bool noise, bool echo, int rate, int delayMs) : rate(rate), delayMs(delayMs), apm(webrtc::AudioProcessing::Create()) {
    apm->high_pass_filter()->Enable(true);
    apm->noise_suppression()->set_level(webrtc::NoiseSuppression::kModerate);
    apm->noise_suppression()->Enable(noise);
    apm->echo_cancellation()->Enable(echo);
    apm->echo_cancellation()->set_suppression_level(webrtc::EchoCancellation::kModerateSuppression);
  }
  void run(int16_t* near, const int16_t* far) override {
    load(far);
    apm->ProcessReverseStream(&frame);
    load(near);
    apm->set_stream_delay_ms(delayMs);
    apm->ProcessStream(&frame);
    std::memcpy(near, frame.data_, static_cast<size_t>(rate / 100) * 2);
  }
  void load(const int16_t* pcm) {
    frame.sample_rate_hz_ = rate;
    frame.num_channels_ = 1;
    frame.samples_per_channel_ = static_cast<size_t>(rate / 100);
    std::memcpy(frame.data_, pcm, static_cast<size_t>(rate / 100) * 2);
  }
  int rate;
  int delayMs;
  webrtc::AudioProcessing* apm;
  webrtc::AudioFrame frame;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 64;
  const std::string what = argv[2];
  const bool noise = what != "echo";
  const bool echo = what != "noise";
  const int rate = std::atoi(argv[3]);
  const auto frame = static_cast<size_t>(rate / 100);
  Filter* filter = std::string(argv[1]) == "speex" ? static_cast<Filter*>(new Speex(noise, echo, rate))
                                                   : new WebRtc(noise, echo, rate, std::atoi(argv[4]));
  std::vector<int16_t> all;
  std::vector<int16_t> part(1 << 16);
  for (size_t got = 0; (got = std::fread(part.data(), 2, part.size(), stdin)) > 0;) all.insert(all.end(), part.begin(), part.begin() + static_cast<long>(got));
  const size_t frames = all.size() / (2 * frame);
  std::vector<int16_t> out(frames * frame);
  const double start = cpuUs();
  for (size_t i = 0; i < frames; i++) {
    filter->run(&all[i * 2 * frame], &all[i * 2 * frame + frame]);
    std::memcpy(&out[i * frame], &all[i * 2 * frame], frame * 2);
  }
  std::fprintf(stderr, "{\"usPer20Ms\":%.3f}\n", (cpuUs() - start) * 2.0 / static_cast<double>(frames));
  std::fwrite(out.data(), 2, out.size(), stdout);
  return 0;
}
