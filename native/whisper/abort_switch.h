// Stops a decode in the middle of a layer. whisper.cpp asks its own abort callback only between whole graphs: on a CPU
// that is once per encoder run, up to seconds late. The backends that compute a state's graphs can be asked to look
// after every operation, but whisper.cpp keeps them to itself; so the linker hands us each one as it is made
// (--wrap=ggml_backend_init_by_type, see CMakeLists.txt).
#pragma once

#include <whisper.h>

#include <atomic>
#include <cstdint>

namespace parley {

// whisper_init_state(), with every CPU backend of the state watching `stop`. `watched` tells whether there was one.
whisper_state* initWatchedState(whisper_context* model, const std::atomic<bool>* stop, bool& watched);

// Grows with every operation that any lane computes: a worker whose figure stands still while it decodes, hangs.
extern std::atomic<uint64_t> progress;

// The callback for whisper_full_params.abort_callback and for the backends: `data` is the std::atomic<bool>.
bool stopRequested(void* data);

}  // namespace parley
