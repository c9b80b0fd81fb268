#include "clean/speexdsp.h"

#include <dlfcn.h>

namespace parley {

namespace {

template <typename Function>
bool take(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

const SpeexDsp* SpeexDsp::find() {
  static SpeexDsp found;
  static const bool complete = [] {
    void* library = dlopen("libspeexdsp.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return false;
    return take(library, "speex_echo_state_init", found.echoInit) && take(library, "speex_echo_state_destroy", found.echoDestroy) &&
           take(library, "speex_echo_cancellation", found.echoCancel) && take(library, "speex_echo_ctl", found.echoControl) &&
           take(library, "speex_preprocess_state_init", found.preprocessInit) &&
           take(library, "speex_preprocess_state_destroy", found.preprocessDestroy) &&
           take(library, "speex_preprocess_run", found.preprocessRun) && take(library, "speex_preprocess_ctl", found.preprocessControl);
  }();
  return complete ? &found : nullptr;
}

}  // namespace parley
