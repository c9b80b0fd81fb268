// How much audio the model looks at. Pure functions of samples at 16 kHz.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace parley {

constexpr int kSamplesPerContext = 320;  // one step of the encoder is 20 ms

// Encoder steps for so many samples: the audio, a margin, rounded up to 64, never more than the model has. A smaller
// context is quicker in proportion; a margin that is too small makes the decoder repeat itself.
int audioContextFor(size_t samples, int modelContext);

// Cuts audio that is longer than the model hears at once into pieces that fit. Each cut lies in the quietest 20 ms of
// the last third of its piece, so that it falls between words where there is such a place.
std::vector<std::pair<size_t, size_t>> splitAudio(std::span<const float> audio, size_t most);

// Loud frames of 10 ms, one flag each: where words can be.
std::vector<bool> voicedFrames(std::span<const float> audio);

// True for a hum, a tone, a hiss: loud, but without the ups and downs of syllables. Whisper hears words in it.
bool steadySound(std::span<const float> audio);

constexpr size_t kFrameSamples = 160;

}  // namespace parley
