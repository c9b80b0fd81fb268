// G.711 (ITU-T G.711, 1988): mu-law and A-law, vectorised, bit-exact. Samples are 16-bit linear.
#pragma once
#include <cstddef>
#include <cstdint>

namespace parley {

// One code by arithmetic: the reference that the block forms are tested against.
int16_t ulawExpand(uint8_t code);
int16_t alawExpand(uint8_t code);
uint8_t ulawCompress(int16_t sample);
uint8_t alawCompress(int16_t sample);

void ulawDecode(const uint8_t* in, int16_t* out, size_t count);
void alawDecode(const uint8_t* in, int16_t* out, size_t count);
void ulawEncode(const int16_t* in, uint8_t* out, size_t count);
void alawEncode(const int16_t* in, uint8_t* out, size_t count);

}  // namespace parley
