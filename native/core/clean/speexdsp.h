// libspeexdsp, found at run time: a machine without it starts, and says so when somebody asks for cleaning.
#pragma once
#include <cstdint>

namespace parley {

// The C interface of speexdsp 1.2 (speex_echo.h, speex_preprocess.h), as far as it is used.
struct SpeexDsp {
  void* (*echoInit)(int frameSamples, int tailSamples) = nullptr;
  void (*echoDestroy)(void* echo) = nullptr;
  void (*echoCancel)(void* echo, const int16_t* heard, const int16_t* played, int16_t* out) = nullptr;
  int (*echoControl)(void* echo, int request, void* value) = nullptr;
  void* (*preprocessInit)(int frameSamples, int rateHz) = nullptr;
  void (*preprocessDestroy)(void* preprocess) = nullptr;
  int (*preprocessRun)(void* preprocess, int16_t* pcm) = nullptr;
  int (*preprocessControl)(void* preprocess, int request, void* value) = nullptr;

  static constexpr int kEchoSetRate = 24;
  static constexpr int kPreprocessSetDenoise = 0;
  static constexpr int kPreprocessSetEchoState = 24;

  // Null when the library is not on this machine, or lacks a function. Looked for once. Not for the media thread.
  static const SpeexDsp* find();
};

}  // namespace parley
