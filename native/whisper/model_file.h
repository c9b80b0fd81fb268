// Looks at a model file before whisper.cpp does: whisper.cpp loads a file whose last tensor is cut off without a word,
// and reads sizes from the header without doubting them.
#pragma once

#include <cstdint>
#include <string>

namespace parley {

struct ModelFile {
  // Empty when the file is whole; else what is wrong, in words for the admin.
  std::string problem;
  uint64_t bytes = 0;
  int audioContext = 0;
};

ModelFile inspectModel(const std::string& path);

}  // namespace parley
