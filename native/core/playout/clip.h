// A clip: PCM written by the JavaScript thread while the media thread plays it. Memory is allocated and freed on the
// JavaScript thread only; the media thread follows pointers.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "dsp/filter_bank.h"
#include "util/pages.h"

namespace parley {

struct ClipChunk {
  explicit ClipChunk(std::span<const int16_t> source) : pcm(source.begin(), source.end()) {}
  std::vector<int16_t> pcm;
  std::atomic<ClipChunk*> next{nullptr};
};

class Clip : public InPages {
 public:
  // `bank` converts to the rate of the wire, or is null when the rates are equal. `marks` are sample numbers at the clip's
  // own rate, ascending. `loop`: after end() it begins again without a seam, until lastRound() or until it is stopped.
  Clip(uint32_t id, uint32_t rateHz, bool held, std::shared_ptr<const FilterBank> bank, std::vector<uint64_t> marks, bool loop = false)
      : id(id), rateHz(rateHz), bank(std::move(bank)), marks(std::move(marks)), held(held), looping_(loop) {}
  ~Clip() {
    ClipChunk* chunk = first_.next.load(std::memory_order_acquire);
    while (chunk != nullptr) {
      ClipChunk* next = chunk->next.load(std::memory_order_relaxed);
      delete chunk;
      chunk = next;
    }
  }
  Clip(const Clip&) = delete;
  Clip& operator=(const Clip&) = delete;

  // Writer (JavaScript thread).
  void append(std::span<const int16_t> pcm) {
    if (pcm.empty()) return;
    auto* chunk = new ClipChunk(pcm);
    written_ += pcm.size();
    last_->next.store(chunk, std::memory_order_release);
    last_ = chunk;
  }
  void end() { ended_.store(true, std::memory_order_release); }
  // The round that is being read is the last one.
  void lastRound() { looping_.store(false, std::memory_order_release); }
  uint64_t writtenSamples() const { return written_; }

  // Reader (media thread). Copies up to `count` samples to `out`; returns how many there were.
  size_t take(int16_t* out, size_t count) {
    size_t taken = 0;
    while (taken < count) {
      if (at_ == current_->pcm.size() && !nextChunk()) break;
      const size_t n = std::min(count - taken, current_->pcm.size() - at_);
      std::memcpy(out + taken, current_->pcm.data() + at_, n * sizeof(int16_t));
      at_ += n;
      inRound_ += n;
      taken += n;
    }
    return taken;
  }
  // True when end() was called, everything has been taken and nothing begins again.
  bool exhausted() const { return atEnd() && (!loops() || empty()); }
  bool loops() const { return looping_.load(std::memory_order_acquire); }
  // Rounds that were read to their end and begun again, and the samples of each.
  uint64_t rounds() const { return rounds_; }
  uint64_t roundSamples() const { return roundSamples_; }

  const uint32_t id;
  const uint32_t rateHz;
  const std::shared_ptr<const FilterBank> bank;
  const std::vector<uint64_t> marks;

  // Media thread only.
  bool held;
  Clip* queueNext = nullptr;
  uint64_t playedWire = 0;  // samples of this clip sent, at the rate of the wire
  size_t nextMark = 0;
  uint64_t markRound = 0;  // the round that nextMark belongs to
  uint32_t fadeSamples = 0;  // of the wire; 0: it is not being stopped
  uint32_t fadeLeft = 0;
  bool primed = false;   // rate conversion has begun
  bool started = false;  // a sample went out

 private:
  bool empty() const { return first_.next.load(std::memory_order_acquire) == nullptr; }
  bool atEnd() const {
    return ended_.load(std::memory_order_acquire) && at_ == current_->pcm.size() &&
           current_->next.load(std::memory_order_acquire) == nullptr;
  }
  bool nextChunk() {
    ClipChunk* next = current_->next.load(std::memory_order_acquire);
    if (next == nullptr) {
      if (!atEnd() || !loops() || empty()) return false;
      roundSamples_ = inRound_;
      inRound_ = 0;
      rounds_++;
      next = first_.next.load(std::memory_order_acquire);
    }
    current_ = next;
    at_ = 0;
    return true;
  }

  ClipChunk first_{{}};
  ClipChunk* last_ = &first_;
  uint64_t written_ = 0;
  std::atomic<bool> ended_{false};
  std::atomic<bool> looping_;
  ClipChunk* current_ = &first_;
  size_t at_ = 0;
  uint64_t inRound_ = 0;  // samples taken of this round
  uint64_t roundSamples_ = 0;
  uint64_t rounds_ = 0;
};

}  // namespace parley
