#include "output.h"

#include <errno.h>
#include <unistd.h>

#include "json.h"

namespace parley {

void Output::write(const std::string& line) {
  const std::lock_guard lock(mutex_);
  for (size_t at = 0; at < line.size();) {
    const ssize_t written = ::write(STDOUT_FILENO, line.data() + at, line.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) _exit(0);  // nobody reads any more
    at += static_cast<size_t>(written);
  }
}

void Output::error(std::string_view kind, std::string_view message) { write(JsonLine().add("error", kind).add("message", message).end()); }

}  // namespace parley
