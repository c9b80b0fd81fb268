// Whisper invents words where there are none. These rules take the inventions out; all are pure functions of text.
#pragma once

#include <string>
#include <string_view>

namespace parley {

// What the decoder and the audio say about how far its words can be believed.
struct Evidence {
  double noSpeech = 0;        // probability of the no-speech token
  double averageLogProb = 0;  // per token
  double voicedSeconds = 0;   // loud audio in the window
};

// Removes (music), [BLANK_AUDIO], *sighs* and note signs, and squeezes white space.
std::string stripAnnotations(std::string_view text);

// Cuts a phrase that comes again and again down to one. `seconds` of audio bound how often somebody could have said it:
// "zero zero zero zero" in two seconds stays.
std::string collapseRepetition(std::string_view text, double seconds);

// Phrases that Whisper learnt from subtitles and says into silence. They only count as invented when the evidence is thin:
// a caller may well say "thank you".
bool isPhantom(std::string_view text, const Evidence& evidence);

// All rules in their order. Empty: nothing was said.
std::string believable(std::string_view text, const Evidence& evidence, double seconds);

}  // namespace parley
