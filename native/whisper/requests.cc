#include "requests.h"

#include "json.h"

namespace parley {
namespace {

constexpr uint64_t kMost32 = 0xFFFFFFFF;

AnyRequest openRequest(const JsonObject& line) {
  const auto session = line.number("session"), slot = line.number("slot"), generation = line.number("generation");
  if (!session || !slot || !generation || *slot > kMost32 || *generation > kMost32) return BadRequest{"open needs session, slot and generation"};
  return OpenRequest{*session, static_cast<uint32_t>(*slot), static_cast<uint32_t>(*generation), std::string(line.text("language").value_or("en"))};
}

AnyRequest decodeRequest(const JsonObject& line) {
  const auto id = line.number("id"), session = line.number("session"), from = line.number("fromSample"), to = line.number("toSample");
  const auto kind = line.text("kind");
  if (!id || !session || !from || !to || !kind) return BadRequest{"decode needs id, session, fromSample, toSample and kind", id};
  if (*kind != "final" && *kind != "partial") return BadRequest{"kind is final or partial", id};
  if (*from > *to) return BadRequest{"fromSample lies after toSample", id};
  return Request{*id, *session, *from, *to, *kind == "final", std::string(line.text("prompt").value_or(""))};
}

}  // namespace

AnyRequest parseRequest(std::string_view text) {
  const auto line = JsonObject::parse(text);
  if (!line) return BadRequest{"not one flat JSON object"};
  const auto op = line->text("op").value_or("");
  if (op == "open") return openRequest(*line);
  if (op == "decode") return decodeRequest(*line);
  if (op == "ping") return PingRequest{};
  if (op == "quit") return QuitRequest{};
  if (op == "close") {
    const auto session = line->number("session");
    return session ? AnyRequest(CloseRequest{*session}) : BadRequest{"close needs session"};
  }
  if (op == "abort") {
    const auto id = line->number("id");
    return id ? AnyRequest(AbortRequest{*id}) : BadRequest{"abort needs id"};
  }
  return BadRequest{"unknown op"};
}

}  // namespace parley
