// The peer of the worker in `bench engines`: whisper.cpp called the plain way, one state, one decode after another, with
// the worker's parameters. For every line on stdin it decodes the samples once and prints how long that took:
// {"ms":12.3,"cpuMs":12.1}.
//   bare-whisper MODEL SAMPLES.s16 THREADS AUDIO_CTX MAX_TOKENS
#include <time.h>
#include <whisper.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

namespace {
double cpuMilliseconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 64;
  whisper_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  std::ifstream file(argv[2], std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<float> samples(bytes.size() / 2);
  const auto* pcm = reinterpret_cast<const int16_t*>(bytes.data());
  for (size_t i = 0; i < samples.size(); i++) samples[i] = static_cast<float>(pcm[i]) / 32768.0f;

  whisper_context_params context_params = whisper_context_default_params();
  context_params.flash_attn = false;
  whisper_context* context = whisper_init_from_file_with_params_no_state(argv[1], context_params);
  if (!context) return 65;
  whisper_state* state = whisper_init_state(context);
  whisper_full_params params = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
  params.n_threads = std::atoi(argv[3]);
  params.audio_ctx = std::atoi(argv[4]);
  params.max_tokens = std::atoi(argv[5]);
  params.no_context = params.no_timestamps = params.single_segment = true;
  params.print_progress = params.print_timestamps = false;
  params.suppress_nst = whisper_n_audio_ctx(context) == 1500;
  params.temperature_inc = 0.0f;
  params.greedy.best_of = 1;
  params.language = "en";
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    const double cpuStart = cpuMilliseconds();
    if (whisper_full_with_state(context, state, params, samples.data(), static_cast<int>(samples.size())) != 0) return 70;
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    std::printf("{\"ms\":%.3f,\"cpuMs\":%.3f}\n", ms, cpuMilliseconds() - cpuStart);
    std::fflush(stdout);
  }
  whisper_free_state(state);
  whisper_free(context);
  return 0;
}
