#include "recogniser.h"

#include <algorithm>
#include <cmath>

#include "abort_switch.h"
#include "guards.h"
#include "word_times.h"
#include "window.h"

namespace parley {
namespace {

constexpr size_t kLeastSamples = 16000;     // shorter audio is padded: whisper.cpp ignores what is under 100 ms
constexpr int kTokensPerSecond = 8;         // nobody speaks faster; bounds a decoder that runs wild
constexpr double kNoVoicedSpeech = 0.03;    // less than 30 ms of sound is no word
constexpr double kNoSpeechCertain = 0.6;    // Whisper's own thresholds (transcribe.py of the paper)
constexpr double kNoSpeechLogProb = -1.0;
constexpr size_t kMostPromptBytes = 2000;

// whisper.cpp writes words it cannot tokenise to its log. Nothing a person said may land there.
void discardLog(ggml_log_level, const char*, void*) {}

double secondsOf(size_t samples) { return static_cast<double>(samples) / WHISPER_SAMPLE_RATE; }

whisper_full_params paramsFor(const Model& model, size_t samples, const DecodeOptions& options, const std::string& language) {
  whisper_full_params params = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
  params.n_threads = std::max(1, options.threads);
  params.no_context = true;  // nothing of an earlier decode
  params.no_timestamps = true;
  params.single_segment = true;
  params.print_progress = false;
  params.print_realtime = false;
  params.print_timestamps = false;
  params.max_tokens = static_cast<int>(secondsOf(samples) * kTokensPerSecond) + 8;
  params.audio_ctx = audioContextFor(samples, model.audioContext());
  params.suppress_blank = true;
  params.suppress_nst = model.takesPrompt();  // the symbols are no tokens of a small model
  params.temperature = 0.0f;
  params.temperature_inc = 0.0f;  // a second try costs the whole wait again
  params.greedy.best_of = 1;
  params.language = language.c_str();
  params.initial_prompt = options.prompt.empty() || !model.takesPrompt() ? nullptr : options.prompt.c_str();
  return params;
}

}  // namespace

std::unique_ptr<Model> Model::load(const std::string& path, bool gpu, std::string& problem) {
  whisper_log_set(discardLog, nullptr);
  whisper_context_params params = whisper_context_default_params();
  params.use_gpu = gpu;
  // whisper.cpp's flash attention looks at keys up to the next multiple of 256 without a mask: with a shortened audio
  // context those are left over from an earlier decode, which may have been another caller's.
  params.flash_attn = false;
  whisper_context* context = whisper_init_from_file_with_params_no_state(path.c_str(), params);
  if (!context) {
    problem = "whisper.cpp refused the file";
    return nullptr;
  }
  return std::unique_ptr<Model>(new Model(context));
}

Model::~Model() { whisper_free(context_); }

bool Model::knowsLanguage(const std::string& language) const {
  return language.empty() || language == "auto" || whisper_lang_id(language.c_str()) >= 0;
}

Lane::Lane(Model& model) : model_(model) { state_ = initWatchedState(model.context(), &stop_, watched_); }

bool Lane::stopped() { return stopRequested(&stop_); }

Lane::~Lane() {
  if (state_) whisper_free_state(state_);
}

Decoded Lane::decodePiece(std::span<const float> audio, const DecodeOptions& options) {
  Decoded result;
  const std::vector<bool> voiced = voicedFrames(audio);
  const double voicedSeconds = secondsOf(static_cast<size_t>(std::count(voiced.begin(), voiced.end(), true)) * kFrameSamples);
  if (voicedSeconds < kNoVoicedSpeech || steadySound(audio)) return result;

  padded_.assign(audio.begin(), audio.end());
  padded_.resize(std::max(padded_.size(), kLeastSamples), 0.0f);
  const std::string language = model_.multilingual() ? (options.language.empty() ? "auto" : options.language) : "en";
  whisper_full_params params = paramsFor(model_, padded_.size(), options, language);
  params.abort_callback = stopRequested;
  params.abort_callback_user_data = &stop_;
  const int code = whisper_full_with_state(model_.context(), state_, params, padded_.data(), static_cast<int>(padded_.size()));
  std::fill(padded_.begin(), padded_.end(), 0.0f);
  if (stopped()) return result.status = Decoded::Status::aborted, result;
  if (code != 0) return result.status = Decoded::Status::failed, result;

  const int language_id = whisper_full_lang_id_from_state(state_);
  result.language = model_.multilingual() && language_id >= 0 ? whisper_lang_str(language_id) : "en";
  std::string text;
  double sum = 0, noSpeech = 0;
  int tokens = 0;
  for (int segment = 0; segment < whisper_full_n_segments_from_state(state_); segment++) {
    text += whisper_full_get_segment_text_from_state(state_, segment);
    noSpeech = std::max(noSpeech, static_cast<double>(whisper_full_get_segment_no_speech_prob_from_state(state_, segment)));
    for (int i = 0; i < whisper_full_n_tokens_from_state(state_, segment); i++, tokens++)
      sum += static_cast<double>(whisper_full_get_token_data_from_state(state_, segment, i).plog);
  }
  if (tokens == 0) return result;
  const Evidence evidence{noSpeech, sum / tokens, voicedSeconds};
  if (noSpeech > kNoSpeechCertain && evidence.averageLogProb < kNoSpeechLogProb) return result;
  result.text = believable(text, evidence, secondsOf(audio.size()));
  if (result.text.empty()) return result;
  result.confidence = std::clamp(std::exp(evidence.averageLogProb), 0.0, 1.0);
  result.words = estimateWordTimes(result.text, voiced, audio.size());
  return result;
}

Decoded Lane::decode(std::span<const float> audio, const DecodeOptions& given) {
  DecodeOptions options = given;
  if (options.prompt.size() > kMostPromptBytes) options.prompt.erase(0, options.prompt.size() - kMostPromptBytes);
  Decoded all;
  double weight = 0;
  for (const auto& [from, to] : splitAudio(audio, static_cast<size_t>(model_.audioContext()) * kSamplesPerContext)) {
    Decoded piece = decodePiece(audio.subspan(from, to - from), options);
    if (piece.status != Decoded::Status::ok) return piece;
    if (all.language.empty()) all.language = piece.language;
    if (options.language == "auto" && !piece.language.empty()) options.language = piece.language;
    if (piece.text.empty()) continue;
    const auto words = static_cast<double>(piece.words.size());
    all.confidence = (all.confidence * weight + piece.confidence * words) / (weight + words);
    weight += words;
    all.text += (all.text.empty() ? "" : " ") + piece.text;
    for (Word& word : piece.words) all.words.push_back({std::move(word.text), word.from + from, word.to + from});
  }
  return all;
}

}  // namespace parley
