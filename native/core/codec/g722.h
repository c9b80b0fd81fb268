// G.722 at 64 kbit/s (ITU-T G.722, 1988): 16 kHz audio in two sub-bands of ADPCM, one octet for two samples.
// In RTP its clock runs at 8 kHz, by a historical mistake that RFC 3551 section 4.5.2 keeps.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace parley {

// The adaptive predictor and quantiser scale of one sub-band; encoder and decoder run the same one.
struct G722Band {
  int32_t signal = 0;      // prediction s
  int32_t zeroSignal = 0;  // part of the zeros
  std::array<int32_t, 3> reconstructed{};
  std::array<int32_t, 3> partial{};
  std::array<int32_t, 3> pole{};
  std::array<int32_t, 7> difference{};
  std::array<int32_t, 7> zero{};
  int32_t logScale = 0;
  int32_t scale = 0;

  void adapt(int32_t quantisedDifference);
};

class G722Encoder {
 public:
  G722Encoder() { reset(); }
  void reset();
  // An even number of 16 kHz samples; writes half as many octets.
  void encode(std::span<const int16_t> pcm, uint8_t* out);
  // One octet from one sample of each sub-band, 15 bits: what lies behind the filters, as the recommendation tests it.
  uint8_t encodeBands(int32_t lowIn, int32_t highIn);

 private:
  G722Band low_;
  G722Band high_;
  std::array<int32_t, 24> history_{};
};

// A sample of each sub-band, 15 bits.
struct G722Bands {
  int32_t low;
  int32_t high;
};

class G722Decoder {
 public:
  G722Decoder() { reset(); }
  void reset();
  // Writes two samples for each octet.
  void decode(std::span<const uint8_t> codes, int16_t* out);
  G722Bands decodeBands(uint8_t code);

 private:
  G722Band low_;
  G722Band high_;
  std::array<int32_t, 24> history_{};
};

}  // namespace parley
