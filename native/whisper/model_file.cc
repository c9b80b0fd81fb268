#include "model_file.h"

#include <ggml.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string_view>

namespace parley {
namespace {

constexpr uint32_t kMagic = 0x67676d6c;  // "ggml", the format of whisper.cpp's files

struct Header {
  int32_t vocab, audioContext, audioState, audioHead, audioLayer, textContext, textState, textHead, textLayer, mels, type;
};

class Reader {
 public:
  explicit Reader(const std::string& path) : file_(path, std::ios::binary) {
    file_.seekg(0, std::ios::end);
    bytes_ = file_ ? static_cast<uint64_t>(file_.tellg()) : 0;
    file_.seekg(0);
  }
  bool opened() const { return file_.is_open(); }
  uint64_t bytes() const { return bytes_; }
  uint64_t left() const { return bytes_ - at_; }
  template <typename T>
  bool read(T& value) {
    if (left() < sizeof value) return false;
    file_.read(reinterpret_cast<char*>(&value), sizeof value);
    at_ += sizeof value;
    return static_cast<bool>(file_);
  }
  bool skip(uint64_t count) {
    if (left() < count) return false;
    at_ += count;
    file_.seekg(static_cast<std::streamoff>(at_));
    return static_cast<bool>(file_);
  }

 private:
  std::ifstream file_;
  uint64_t bytes_ = 0;
  uint64_t at_ = 0;
};

bool plausible(const Header& h) {
  const auto within = [](int32_t value, int32_t low, int32_t high) { return value >= low && value <= high; };
  return within(h.vocab, 1, 200000) && within(h.audioContext, 1, 4096) && within(h.audioState, 1, 8192) && within(h.audioHead, 1, 256) &&
         within(h.audioLayer, 1, 256) && within(h.textContext, 16, 8192) && h.textState == h.audioState && within(h.textHead, 1, 256) &&
         within(h.textLayer, 1, 256) && within(h.type % 1000, 0, 25) && within(h.type, 0, 99999) && within(h.mels, 1, 1024) && h.audioState % h.audioHead == 0 && h.textState % h.textHead == 0;
}

// Mel filters and word list. False: cut off.
bool skipTables(Reader& file) {
  int32_t rows = 0, columns = 0, words = 0;
  if (!file.read(rows) || !file.read(columns) || rows < 0 || columns < 0) return false;
  if (!file.skip(static_cast<uint64_t>(rows) * static_cast<uint64_t>(columns) * 4u)) return false;
  if (!file.read(words) || words < 0) return false;
  for (int32_t i = 0; i < words; i++) {
    uint32_t length = 0;
    if (!file.read(length) || !file.skip(length)) return false;
  }
  return true;
}

// One weight. False: cut off or nonsense.
bool skipTensor(Reader& file) {
  int32_t dimensions = 0, nameLength = 0, type = 0;
  if (!file.read(dimensions) || !file.read(nameLength) || !file.read(type)) return false;
  if (dimensions < 1 || dimensions > 4 || nameLength < 1 || nameLength > 256 || type < 0 || type >= GGML_TYPE_COUNT) return false;
  int64_t row = 1, rows = 1;
  for (int32_t i = 0; i < dimensions; i++) {
    int32_t extent = 0;
    if (!file.read(extent) || extent < 1) return false;
    (i == 0 ? row : rows) *= extent;
    if (rows > (int64_t{1} << 40)) return false;
  }
  const auto kind = static_cast<ggml_type>(type);
  const int64_t block = ggml_blck_size(kind);
  if (block < 1 || row % block != 0) return false;
  return file.skip(static_cast<uint64_t>(nameLength)) && file.skip(static_cast<uint64_t>(ggml_row_size(kind, row)) * static_cast<uint64_t>(rows));
}

uint64_t availableMemory() {
  std::ifstream info("/proc/meminfo");
  std::string key, unit;
  uint64_t kilobytes = 0;
  while (info >> key >> kilobytes && std::getline(info, unit))
    if (key == "MemAvailable:") return kilobytes * 1024u;
  return UINT64_MAX;
}

std::string check(Reader& file, Header& header) {
  if (!file.opened()) return "the file does not exist or cannot be read";
  uint32_t magic = 0;
  if (!file.read(magic)) return "the file is truncated: it ends before its header";
  if (magic != kMagic) return "wrong magic: this is no ggml Whisper model";
  if (!file.read(header)) return "the file is truncated: it ends inside its header";
  if (!plausible(header)) return "the header holds impossible sizes";
  const uint64_t available = availableMemory();
  if (file.bytes() > available)
    return "the model is too large for this machine: " + std::to_string(file.bytes() >> 20) + " MiB of weights, " +
           std::to_string(available >> 20) + " MiB of memory free";
  const std::string truncated = "the file is truncated or damaged: " + std::to_string(file.bytes()) + " bytes are not the whole model";
  if (!skipTables(file)) return truncated;
  int tensors = 0;
  while (file.left() > 0) {
    if (!skipTensor(file)) return truncated;
    tensors++;
  }
  // Every Whisper has this many; a file cut off between two tensors is noticed here.
  const int whole = 11 + 15 * header.audioLayer + 24 * header.textLayer;
  if (tensors != whole) return truncated;
  return "";
}

}  // namespace

ModelFile inspectModel(const std::string& path) {
  ModelFile result;
  Reader file(path);
  Header header{};
  result.problem = check(file, header);
  result.bytes = file.bytes();
  result.audioContext = header.audioContext;
  return result;
}

}  // namespace parley
