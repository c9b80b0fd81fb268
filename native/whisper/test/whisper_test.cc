// Tests of the rules and parsers, printing TAP. Built and run by test/integration/stt-native.test.ts with sanitizers on.
#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "../guards.h"
#include "../json.h"
#include "../window.h"
#include "../word_times.h"

namespace {

int count = 0, failed = 0;

void ok(bool good, const std::string& what) {
  count++;
  if (!good) failed++;
  std::printf("%s %d - %s\n", good ? "ok" : "not ok", count, what.c_str());
}

void same(const std::string& got, const std::string& wanted, const std::string& what) {
  ok(got == wanted, what);
  if (got != wanted) std::printf("# got \"%s\", wanted \"%s\"\n", got.c_str(), wanted.c_str());
}

using namespace parley;

constexpr Evidence kFirm{0.01, -0.1, 1.5};
constexpr Evidence kThin{0.5, -0.9, 0.2};

void annotations() {
  same(stripAnnotations(" [BLANK_AUDIO]"), "", "blank audio is nothing");
  same(stripAnnotations("(music) yes *coughs* please"), "yes please", "annotations go");
  same(stripAnnotations("one (two"), "one (two", "an open bracket stays");
  same(stripAnnotations("\xE2\x99\xAA la la \xE2\x99\xAA"), "la la", "notes go");
  same(stripAnnotations("  a\n b\tc "), "a b c", "white space is one space");
}

void repetition() {
  same(collapseRepetition("zero zero zero zero", 2), "zero zero zero zero", "digits said four times stay");
  same(collapseRepetition("no no no", 1), "no no no", "no no no stays");
  std::string wild;
  for (int i = 0; i < 40; i++) wild += "thank you ";
  same(collapseRepetition(wild, 4), "thank you", "a loop is said once");
  std::string word;
  for (int i = 0; i < 30; i++) word += "the ";
  same(collapseRepetition("i am " + word + "end", 3), "i am the end", "a loop inside a sentence too");
  same(collapseRepetition("my number is four four four four four four", 4), "my number is four four four four four four", "a phone number stays");
  same(collapseRepetition("", 1), "", "nothing is nothing");
}

void phantoms() {
  ok(!isPhantom("thank you", kFirm), "a clear thank you was said");
  ok(isPhantom("Thank you.", kThin), "a thin one was not");
  ok(isPhantom("Thanks for watching!", kThin), "nor this");
  ok(!isPhantom("bye", {0.01, -0.1, 0.18}), "a quick bye was said");
  ok(isPhantom("bye", {0.01, -0.5, 0.18}), "an uncertain one was not");
  ok(!isPhantom("table for two", kThin), "other words are not touched");
  ok(isPhantom(" ... ", kFirm), "no letters, no words");
  same(believable("[noise] Thank you.", kThin, 2), "", "all rules together");
  same(believable(" Table for two. ", kFirm, 2), "Table for two.", "and a sentence as it is");
}

void windows() {
  ok(audioContextFor(16000, 1500) == 192, "1 s of audio: 50 steps, margin, bucket");
  ok(audioContextFor(16000, 1500) % 64 == 0, "buckets of 64");
  ok(audioContextFor(16000 * 60, 1500) == 1500, "never more than the model has");
  ok(audioContextFor(16000 * 5, 300) == 300, "nor than a small one");
  std::vector<float> audio(16000 * 10, 0.5f);
  std::fill(audio.begin() + 80000, audio.begin() + 82000, 0.0f);
  const auto pieces = splitAudio(audio, 96000);
  ok(pieces.size() == 2 && pieces[0].second >= 80000 && pieces[0].second <= 82000, "the cut lies in the pause");
  size_t at = 0;
  bool whole = true;
  for (const auto& [from, to] : splitAudio(audio, 7000)) {
    whole = whole && from == at && to > from && to - from <= 7000;
    at = to;
  }
  ok(whole && at == audio.size(), "pieces are whole and fit");
  ok(splitAudio({}, 100).empty(), "nothing has no pieces");
  std::mt19937 random(1);
  for (float& sample : audio) sample = static_cast<float>(random() % 2000) / 2000.0f - 0.5f;
  ok(steadySound(audio), "noise is steady");
  for (size_t i = 0; i < audio.size(); i++) audio[i] *= (i / 4000) % 2 == 0 ? 1.0f : 0.01f;
  ok(!steadySound(audio), "bursts are not");
}

void wordTimes() {
  std::vector<bool> voiced(100, false);
  for (size_t i = 20; i < 80; i++) voiced[i] = i < 45 || i > 55;
  const auto words = estimateWordTimes("table for four", voiced, 16000);
  ok(words.size() == 3, "three words");
  bool ordered = words[0].from >= 20 * kFrameSamples && words[2].to <= 80 * kFrameSamples;
  for (size_t i = 0; i < words.size(); i++) ordered = ordered && words[i].from < words[i].to && (i == 0 || words[i].from >= words[i - 1].from);
  ok(ordered, "in order, inside the sound");
  ok(estimateWordTimes("", voiced, 16000).empty(), "no words");
  ok(estimateWordTimes("a b c d e f g h", std::vector<bool>(2, true), 320).size() == 8, "more words than frames");
}

void json() {
  const auto line = JsonObject::parse(R"( {"a":"x\u00e9\ud83d\ude00\n","b":12,"c":true,"d":null,"b":13} )");
  ok(line && line->text("a") == "x\xC3\xA9\xF0\x9F\x98\x80\n" && line->number("b") == 13, "a line is read");
  for (const char* bad : {"", "{", "[]", "{\"a\":[]}", "{\"a\":{}}", "{\"a\":1,}", "{\"a\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\x\"}", "{\"a\":nan}", "{} x", "{\"a\":\"\x01\"}"})
    ok(!JsonObject::parse(bad), std::string("refused: ") + bad);
  const auto numbers = JsonObject::parse(R"({"a":-1,"b":1.5,"c":1e300,"d":"5","e":9007199254740993})");
  ok(numbers && !numbers->number("a") && !numbers->number("b") && !numbers->number("c") && !numbers->number("d"), "no whole number");
  std::string out;
  appendJsonString(out, "a\"b\\\n\xFF\xC3");
  same(out, "\"a\\\"b\\\\\\u000a\xEF\xBF\xBD\xEF\xBF\xBD\"", "what is no UTF-8 becomes a replacement sign");
  same(JsonLine().add("a", uint64_t{1}).openList("w").openItem().add("t", "x").close().openItem().close().closeList().end(),
       "{\"a\":1,\"w\":[{\"t\":\"x\"},{}]}\n", "a line is written");
}

// Random bytes and damaged lines: the sanitizers are the judge.
void fuzz() {
  std::mt19937 random(7);
  const std::string good = R"({"op":"decode","id":7,"session":1,"fromSample":0,"toSample":32000,"kind":"final","prompt":"a\u00e9\ud83d\ude00b"})";
  for (int round = 0; round < 200000; round++) {
    std::string text = good;
    if (round % 3 == 0) {
      text.resize(random() % 64);
      for (char& c : text) c = static_cast<char>(random());
    }
    for (auto edits = random() % 5; edits > 0 && !text.empty(); edits--) {
      const size_t at = random() % text.size();
      if (random() % 2) text[at] = static_cast<char>(random());
      else text.erase(at, random() % 9);
    }
    const auto line = JsonObject::parse(text);
    std::string out;
    appendJsonString(out, text);
    if (round % 20 == 0) out += believable(text, kThin, 1.0);
    if (line && out.empty()) ok(false, "unreachable");
  }
  ok(true, "200,000 damaged lines");
}

}  // namespace

int main() {
  annotations();
  repetition();
  phantoms();
  windows();
  wordTimes();
  json();
  fuzz();
  std::printf("1..%d\n", count);
  return failed == 0 ? 0 : 1;
}
