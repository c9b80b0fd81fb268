// JSON lines, as far as this program needs them: flat objects in, any line out. No dependency, no exceptions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace parley {

using JsonValue = std::variant<std::monostate, bool, double, std::string>;

// One flat object. Keys keep their order; of a key that comes twice the last one counts.
class JsonObject {
 public:
  // Nothing when the line is not one flat JSON object (nested objects and arrays are refused).
  static std::optional<JsonObject> parse(std::string_view line);

  std::optional<std::string_view> text(std::string_view key) const;
  // A whole number between 0 and 2^53, else nothing.
  std::optional<uint64_t> number(std::string_view key) const;

 private:
  const JsonValue* find(std::string_view key) const;
  std::vector<std::pair<std::string, JsonValue>> members_;
};

// Builds one line: JsonLine().open("ready").add("model", name).close().end()
class JsonLine {
 public:
  JsonLine() { out_.push_back('{'); }
  JsonLine& add(std::string_view key, std::string_view value);
  JsonLine& add(std::string_view key, const char* value) { return add(key, std::string_view(value)); }
  JsonLine& add(std::string_view key, uint64_t value);
  JsonLine& add(std::string_view key, double value);
  JsonLine& add(std::string_view key, bool value);
  JsonLine& open(std::string_view key);
  JsonLine& openList(std::string_view key);
  JsonLine& openItem();
  JsonLine& close();
  JsonLine& closeList();
  std::string end();

 private:
  void key(std::string_view name);
  std::string out_;
};

// Appends `text` as a JSON string. Bytes that are no UTF-8 (half a character from the decoder) become U+FFFD.
void appendJsonString(std::string& out, std::string_view text);

}  // namespace parley
