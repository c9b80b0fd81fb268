// One line from the supervisor, checked: {"op":"open","session":1,"slot":0,"generation":1,"language":"en"},
// {"op":"decode","id":7,"session":1,"fromSample":0,"toSample":32000,"kind":"final","prompt":"..."},
// {"op":"abort","id":7}, {"op":"close","session":1}, {"op":"ping"}, {"op":"quit"}.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "scheduler.h"

namespace parley {

struct OpenRequest {
  uint64_t session = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
  std::string language;
};
struct CloseRequest {
  uint64_t session = 0;
};
struct AbortRequest {
  uint64_t id = 0;
};
struct PingRequest {};
struct QuitRequest {};
struct BadRequest {
  const char* why = "";
  // Of a decode that named itself: so that whoever waits for it hears of it.
  std::optional<uint64_t> id = std::nullopt;
};

using AnyRequest = std::variant<OpenRequest, Request, AbortRequest, CloseRequest, PingRequest, QuitRequest, BadRequest>;

AnyRequest parseRequest(std::string_view line);

}  // namespace parley
