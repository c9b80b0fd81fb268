// The peer of the worker in `bench engines`: whisper.cpp called the plain way, one state, one decode after another, with
// the worker's parameters. Prints one JSON object: {"ms":[...],"cpuMs":[...]}.
//   bare-whisper MODEL SAMPLES.s16 RUNS THREADS AUDIO_CTX MAX_TOKENS [flash]
#include <time.h>
#include <whisper.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
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
  if (argc < 7) return 64;
  whisper_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  std::ifstream file(argv[2], std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<float> samples(bytes.size() / 2);
  const auto* pcm = reinterpret_cast<const int16_t*>(bytes.data());
  for (size_t i = 0; i < samples.size(); i++) samples[i] = static_cast<float>(pcm[i]) / 32768.0f;

  whisper_context_params context_params = whisper_context_default_params();
  context_params.flash_attn = argc > 7 && std::string(argv[7]) == "flash";
  whisper_context* context = whisper_init_from_file_with_params_no_state(argv[1], context_params);
  if (!context) return 65;
  whisper_state* state = whisper_init_state(context);
  whisper_full_params params = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
  params.n_threads = std::atoi(argv[4]);
  params.audio_ctx = std::atoi(argv[5]);
  params.max_tokens = std::atoi(argv[6]);
  params.no_context = params.no_timestamps = params.single_segment = true;
  params.print_progress = params.print_timestamps = false;
  params.suppress_nst = whisper_n_audio_ctx(context) == 1500;
  params.temperature_inc = 0.0f;
  params.greedy.best_of = 1;
  params.language = "en";
  std::string cpu;
  std::printf("{\"ms\":[");
  for (int run = 0; run < std::atoi(argv[3]); run++) {
    const auto start = std::chrono::steady_clock::now();
    const double cpuStart = cpuMilliseconds();
    if (whisper_full_with_state(context, state, params, samples.data(), static_cast<int>(samples.size())) != 0) return 70;
    std::printf("%s%.3f", run ? "," : "", std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    cpu += (run ? "," : "") + std::to_string(cpuMilliseconds() - cpuStart);
  }
  std::printf("],\"cpuMs\":[%s]}\n", cpu.c_str());
  whisper_free_state(state);
  whisper_free(context);
  return 0;
}
