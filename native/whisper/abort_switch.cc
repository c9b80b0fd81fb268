#include "abort_switch.h"

#include <ggml-backend.h>

#include <vector>

namespace {
// Backends made on this thread while a list is set.
thread_local std::vector<ggml_backend_t>* collecting = nullptr;
}  // namespace

extern "C" {
ggml_backend_t __real_ggml_backend_init_by_type(enum ggml_backend_dev_type type, const char* params);

ggml_backend_t __wrap_ggml_backend_init_by_type(enum ggml_backend_dev_type type, const char* params) {
  ggml_backend_t backend = __real_ggml_backend_init_by_type(type, params);
  if (backend && collecting) collecting->push_back(backend);
  return backend;
}
}

namespace parley {

std::atomic<uint64_t> progress{0};

bool stopRequested(void* data) {
  progress.fetch_add(1, std::memory_order_relaxed);
  return static_cast<const std::atomic<bool>*>(data)->load(std::memory_order_relaxed);
}

whisper_state* initWatchedState(whisper_context* model, const std::atomic<bool>* stop, bool& watched) {
  std::vector<ggml_backend_t> backends;
  collecting = &backends;
  whisper_state* state = whisper_init_state(model);
  collecting = nullptr;
  watched = false;
  if (!state) return nullptr;
  for (ggml_backend_t backend : backends) {
    ggml_backend_dev_t device = ggml_backend_get_device(backend);
    ggml_backend_reg_t registry = device ? ggml_backend_dev_backend_reg(device) : nullptr;
    void* address = registry ? ggml_backend_reg_get_proc_address(registry, "ggml_backend_set_abort_callback") : nullptr;
    if (!address) continue;
    reinterpret_cast<ggml_backend_set_abort_callback_t>(address)(backend, stopRequested, const_cast<std::atomic<bool>*>(stop));
    watched = true;
  }
  return state;
}

}  // namespace parley
