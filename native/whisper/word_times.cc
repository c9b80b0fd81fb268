#include "word_times.h"

#include <algorithm>

#include "window.h"

namespace parley {

std::vector<Word> estimateWordTimes(const std::string& text, const std::vector<bool>& voiced, size_t samples) {
  std::vector<Word> words;
  size_t letters = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) {
      words.push_back({text.substr(at, end - at), 0, 0});
      letters += end - at + 1;
    }
    at = end + 1;
  }
  std::vector<size_t> frames;
  for (size_t i = 0; i < voiced.size(); i++)
    if (voiced[i]) frames.push_back(i);
  if (frames.empty() || letters == 0) return words;

  size_t before = 0;
  for (Word& word : words) {
    const size_t after = before + word.text.size() + 1;
    const size_t first = before * frames.size() / letters;
    const size_t last = std::max(first, std::min(after * frames.size() / letters, frames.size()) - (after * frames.size() / letters > first ? 1 : 0));
    word.from = std::min(frames[std::min(first, frames.size() - 1)] * kFrameSamples, samples);
    word.to = std::min((frames[std::min(last, frames.size() - 1)] + 1) * kFrameSamples, samples);
    before = after;
  }
  return words;
}

}  // namespace parley
