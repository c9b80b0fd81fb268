// Whisper itself: the weights once, and a lane per decode in flight. A lane keeps whisper.cpp's working memory between
// decodes but nothing of what was said: every decode starts from its audio and its prompt alone, whichever call it is for.
#pragma once

#include <whisper.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace parley {

struct Word {
  std::string text;
  uint64_t from = 0;  // samples from the start of the audio
  uint64_t to = 0;
};

struct Decoded {
  enum class Status { ok, aborted, failed } status = Status::ok;
  std::string text;
  double confidence = 0;  // 0..1
  std::vector<Word> words;
  std::string language;  // what the model took it for
};

struct DecodeOptions {
  std::string language;  // "auto" detects
  std::string prompt;
  int threads = 1;
};

class Model {
 public:
  // `gpu`: use one when the build has it. Check load() before anything else.
  static std::unique_ptr<Model> load(const std::string& path, bool gpu, std::string& problem);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  int audioContext() const { return whisper_n_audio_ctx(context_); }
  bool multilingual() const { return whisper_is_multilingual(context_) != 0; }
  bool knowsLanguage(const std::string& language) const;
  // A model that was made for something smaller than Whisper's 30 s was not trained with prompts either.
  bool takesPrompt() const { return audioContext() == 1500; }
  whisper_context* context() const { return context_; }

 private:
  explicit Model(whisper_context* context) : context_(context) {}
  whisper_context* context_;
};

// One decode at a time, on one thread.
class Lane {
 public:
  explicit Lane(Model& model);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  bool ready() const { return state_ != nullptr; }
  // True when a decode can be stopped inside a graph, not only between graphs.
  bool stopsInside() const { return watched_; }
  Decoded decode(std::span<const float> audio, const DecodeOptions& options);

  // May be called from any thread; the decode in progress ends with `aborted`.
  void stop() { stop_.store(true, std::memory_order_relaxed); }
  void arm() { stop_.store(false, std::memory_order_relaxed); }
  // Asked in every wait: counts as progress.
  bool stopped();

 private:
  Decoded decodePiece(std::span<const float> audio, const DecodeOptions& options);

  Model& model_;
  std::atomic<bool> stop_{false};
  bool watched_ = false;
  whisper_state* state_ = nullptr;
  std::vector<float> padded_;
};

}  // namespace parley
