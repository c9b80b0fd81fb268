// parley-whisper: the recogniser program. Loads one model, reads callers' audio from the memory behind --audio-fd,
// takes requests as JSON lines on stdin and answers on stdout (requests.h, scheduler.cc). Ends when stdin ends.
// stderr stays empty: nothing that a caller said may reach a log.
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>

#include "abort_switch.h"
#include "audio_ring.h"
#include "json.h"
#include "model_file.h"
#include "output.h"
#include "recogniser.h"
#include "requests.h"
#include "scheduler.h"

namespace parley {
namespace {

constexpr size_t kLongestLine = 65536;
// BSD's sysexits.h.
constexpr int kUsage = 64, kBadModel = 65, kNoAudio = 66, kNoMemory = 71;

struct Options {
  std::string model;
  int audioFd = -1;  // none: only check the model
  bool gpu = true;
  SchedulerOptions scheduler;
};

std::optional<Options> parseArguments(int argc, char** argv) {
  Options options;
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  options.scheduler.lanes = cores;
  options.scheduler.threads = cores;
  // One decode takes half the machine at most: it is the tail under load that callers feel, not the lone decode.
  options.scheduler.laneThreads = std::clamp(cores / 2, 1, 4);
  for (int i = 1; i < argc; i++) {
    const std::string_view name = argv[i];
    if (name == "--no-gpu") {
      options.gpu = false;
      continue;
    }
    if (i + 1 >= argc) return std::nullopt;
    const std::string_view value = argv[++i];
    if (name == "--model") {
      options.model = value;
      continue;
    }
    int number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || number < 0 || number > 100000) return std::nullopt;
    if (name == "--audio-fd") options.audioFd = number;
    else if (name == "--lanes") options.scheduler.lanes = std::clamp(number, 1, 256);
    else if (name == "--threads") options.scheduler.threads = std::clamp(number, 1, 1024);
    else if (name == "--lane-threads") options.scheduler.laneThreads = std::clamp(number, 1, 64);
    else if (name == "--wait-ms") options.scheduler.waitMs = number;
    else return std::nullopt;
  }
  return options.model.empty() ? std::nullopt : std::optional<Options>(options);
}

std::string readyLine(const Options& options, const ModelFile& file, const Model& model, bool stopsInside) {
  const size_t slash = options.model.rfind('/');
  JsonLine line;
  line.open("ready").add("whisper", whisper_version()).add("model", options.model.substr(slash == std::string::npos ? 0 : slash + 1));
  line.add("bytes", file.bytes).add("audioContext", static_cast<uint64_t>(model.audioContext())).add("multilingual", model.multilingual());
  line.add("prompts", model.takesPrompt()).add("lanes", static_cast<uint64_t>(options.scheduler.lanes));
  line.add("threads", static_cast<uint64_t>(options.scheduler.threads)).add("abort", stopsInside ? "operation" : "graph").close();
  return line.end();
}

// Acts on one line. False: quit.
bool handle(std::string_view text, const Model& model, const AudioRing& audio, Scheduler& scheduler, Output& output) {
  AnyRequest any = parseRequest(text);
  if (std::holds_alternative<QuitRequest>(any)) return false;
  if (const auto* bad = std::get_if<BadRequest>(&any)) {
    if (bad->id) output.write(JsonLine().add("id", *bad->id).add("error", "bad-request").end());
    else output.error("request", bad->why);
  }
  if (std::holds_alternative<PingRequest>(any))
    output.write(JsonLine().add("pong", static_cast<uint64_t>(scheduler.running())).add("progress", progress.load(std::memory_order_relaxed)).end());
  if (auto* request = std::get_if<Request>(&any)) scheduler.submit(std::move(*request));
  if (const auto* abort = std::get_if<AbortRequest>(&any)) scheduler.abort(abort->id);
  if (const auto* close = std::get_if<CloseRequest>(&any)) scheduler.close(close->session);
  if (const auto* open = std::get_if<OpenRequest>(&any)) {
    const bool known = !model.multilingual() || model.knowsLanguage(open->language);
    if (!audio.hasSlot(open->slot)) return output.error("request", "open names a slot that the audio memory does not have"), true;
    if (!known) output.error("language", "the model does not know this language: it is detected instead");
    scheduler.open(open->session, open->slot, open->generation, known ? open->language : "auto");
  }
  return true;
}

// Lines from stdin until it ends. A line that is too long is answered by an error and skipped.
void serve(const Model& model, const AudioRing& audio, Scheduler& scheduler, Output& output) {
  std::string pending;
  bool skipping = false;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    pending.append(buffer, static_cast<size_t>(got));
    size_t from = 0;
    for (size_t end = pending.find('\n'); end != std::string::npos; from = end + 1, end = pending.find('\n', from)) {
      const std::string_view line(pending.data() + from, end - from);
      if (skipping) skipping = false;
      else if (line.size() > kLongestLine) output.error("request", "line too long");
      else if (!line.empty() && !handle(line, model, audio, scheduler, output)) return;
    }
    pending.erase(0, from);
    if (pending.size() > kLongestLine) {
      if (!skipping) output.error("request", "line too long");
      skipping = true;
      pending.clear();
    }
  }
}

// OpenMP threads that wait spin by default. With a call's other programs on the same cores that makes a decode on two
// threads ten times slower than on one (measured: 0.4 s became 4 to 18 s). The library reads its policy before main().
void waitWithoutSpinning(char** argv) {
  if (getenv("OMP_WAIT_POLICY")) return;
  setenv("OMP_WAIT_POLICY", "passive", 1);
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length <= 0) return;
  self[length] = 0;
  execv(self, argv);  // by its name, so that it is listed by its name; on failure: go on as we are
}

int run(int argc, char** argv) {
  waitWithoutSpinning(argv);
  signal(SIGPIPE, SIG_IGN);
  Output output;
  const auto options = parseArguments(argc, argv);
  if (!options) {
    output.error("usage", "parley-whisper --model FILE [--audio-fd N] [--lanes N] [--threads N] [--lane-threads N] [--wait-ms N] [--no-gpu]");
    return kUsage;
  }
  const ModelFile file = inspectModel(options->model);
  if (!file.problem.empty()) return output.error("model", file.problem), kBadModel;
  AudioRing audio;
  if (options->audioFd >= 0) {
    const std::string problem = audio.map(options->audioFd);
    if (!problem.empty()) return output.error("audio", problem), kNoAudio;
  }
  std::string problem;
  const auto model = Model::load(options->model, options->gpu, problem);
  if (!model) return output.error("model", problem), kBadModel;
  Scheduler scheduler(*model, audio, output, options->scheduler);
  bool stopsInside = false;
  if (!scheduler.start(stopsInside)) return output.error("memory", "not enough memory for the working state of every lane"), kNoMemory;
  output.write(readyLine(*options, file, *model, stopsInside));
  if (options->audioFd < 0) return 0;
  serve(*model, audio, scheduler, output);
  // The supervisor is gone or has seen enough: nothing that still runs is of use to anybody.
  _exit(0);
}

}  // namespace
}  // namespace parley

int main(int argc, char** argv) { return parley::run(argc, argv); }
