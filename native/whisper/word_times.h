// When each word was said, estimated: the letters are spread over the frames in which somebody spoke. Good to a tenth of
// a second or two on short turns; exact times would need timestamp tokens, which cost a third of the decode.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "recogniser.h"

namespace parley {

std::vector<Word> estimateWordTimes(const std::string& text, const std::vector<bool>& voicedFrames, size_t samples);

}  // namespace parley
