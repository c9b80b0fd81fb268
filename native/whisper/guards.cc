#include "guards.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace parley {
namespace {

constexpr double kWordsPerSecond = 6.5;  // faster than anybody speaks
constexpr size_t kLongestUnit = 6;       // words of a repeated phrase
constexpr double kThinNoSpeech = 0.3;
constexpr double kThinLogProb = -0.7;
constexpr double kShortVoicedSeconds = 0.25;  // a quick "bye" is that short: it must also be uncertain
constexpr double kShortLogProb = -0.3;

constexpr std::array kPhantoms = {
    std::string_view("you"),
    std::string_view("thank you"),
    std::string_view("thank you very much"),
    std::string_view("thanks for watching"),
    std::string_view("thank you for watching"),
    std::string_view("thank you so much for watching"),
    std::string_view("please subscribe"),
    std::string_view("like and subscribe"),
    std::string_view("see you next time"),
    std::string_view("see you in the next video"),
    std::string_view("bye"),
    std::string_view("bye bye"),
    std::string_view("the end"),
    std::string_view("so"),
    std::string_view("subtitles by the amara org community"),
    std::string_view("untertitel der amara org community"),
    std::string_view("untertitel im auftrag des zdf"),
    std::string_view("vielen dank"),
    std::string_view("vielen dank für's zuschauen"),
    std::string_view("sous titres réalisés par la communauté d'amara org"),
    std::string_view("merci d'avoir regardé cette vidéo"),
    std::string_view("subtítulos realizados por la comunidad de amara org"),
    std::string_view("gracias por ver el video"),
};

std::vector<std::string> wordsOf(std::string_view text) {
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text.push_back(' ');
    text += word;
  }
  return text;
}

// Lower case letters and single spaces: what two ways of writing the same words have in common.
std::string bare(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = byte >= 0x80 || std::isalnum(byte) || c == '\'';
    if (letter) out.push_back(static_cast<char>(std::tolower(byte)));
    else if (!out.empty() && out.back() != ' ') out.push_back(' ');
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

// How often the `unit` words before `end` come in a row, counted backwards from `end`.
size_t repeats(const std::vector<std::string>& words, size_t end, size_t unit) {
  size_t count = 1;
  while ((count + 1) * unit <= end &&
         std::equal(words.end() - static_cast<std::ptrdiff_t>(words.size() - end + unit), words.end() - static_cast<std::ptrdiff_t>(words.size() - end),
                    words.end() - static_cast<std::ptrdiff_t>(words.size() - end + (count + 1) * unit),
                    [](const std::string& a, const std::string& b) { return bare(a) == bare(b); }))
    count++;
  return count;
}

}  // namespace

std::string stripAnnotations(std::string_view text) {
  std::string out;
  char closing = 0;
  for (size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    if (closing != 0) {
      if (c == closing) closing = 0;
      continue;
    }
    const size_t rest = i + 1;
    if (c == '[' && text.find(']', rest) != std::string_view::npos) closing = ']';
    else if (c == '(' && text.find(')', rest) != std::string_view::npos) closing = ')';
    else if (c == '*' && text.find('*', rest) != std::string_view::npos) closing = '*';
    else if (text.substr(i, 3) == "\xE2\x99\xAA" || text.substr(i, 3) == "\xE2\x99\xAB") i += 2;  // note signs
    else if (c == '\n' || c == '\t' || c == '\r') out.push_back(' ');
    else out.push_back(c);
  }
  return joined(wordsOf(out));
}

std::string collapseRepetition(std::string_view text, double seconds) {
  std::vector<std::string> words = wordsOf(text);
  const bool tooFast = static_cast<double>(words.size()) > seconds * kWordsPerSecond + 3;
  for (size_t unit = 1; unit <= kLongestUnit; unit++) {
    for (size_t end = words.size(); end >= 2 * unit; end--) {
      const size_t count = repeats(words, end, unit);
      const size_t most = unit == 1 ? 8 : 3;  // nobody says more in one breath
      if (count < 3 || (count <= most && !tooFast)) continue;
      const auto first = words.begin() + static_cast<std::ptrdiff_t>(end - (count - 1) * unit);
      words.erase(first, words.begin() + static_cast<std::ptrdiff_t>(end));
      end = std::min(end, words.size() + 1);
    }
  }
  return joined(words);
}

bool isPhantom(std::string_view text, const Evidence& evidence) {
  const std::string plain = bare(text);
  if (plain.empty()) return true;
  const bool brief = evidence.voicedSeconds < kShortVoicedSeconds && evidence.averageLogProb < kShortLogProb;
  const bool thin = brief || evidence.noSpeech > kThinNoSpeech || evidence.averageLogProb < kThinLogProb;
  return thin && std::find(kPhantoms.begin(), kPhantoms.end(), plain) != kPhantoms.end();
}

std::string believable(std::string_view text, const Evidence& evidence, double seconds) {
  const std::string stripped = collapseRepetition(stripAnnotations(text), seconds);
  return isPhantom(stripped, evidence) ? "" : stripped;
}

}  // namespace parley
