#include "json.h"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace parley {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n')) at_++;
  }
  bool done() const { return at_ == text_.size(); }
  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    at_++;
    return true;
  }
  bool take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  bool string(std::string& out) {
    if (!take('"')) return false;
    while (!done()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') out.push_back(c);
      else if (!escape(out)) return false;
    }
    return false;
  }

  bool value(JsonValue& out) {
    if (done()) return false;
    if (text_[at_] == '"') return string(out.emplace<std::string>());
    if (take("true")) return out = true, true;
    if (take("false")) return out = false, true;
    if (take("null")) return out = std::monostate{}, true;
    return number(out.emplace<double>());
  }

 private:
  bool number(double& out) {
    // from_chars takes "inf" and "nan", JSON does not.
    if (done() || !(text_[at_] == '-' || (text_[at_] >= '0' && text_[at_] <= '9'))) return false;
    const char* first = text_.data() + at_;
    const auto [last, error] = std::from_chars(first, text_.data() + text_.size(), out);
    if (error != std::errc() || !std::isfinite(out)) return false;
    at_ += static_cast<size_t>(last - first);
    return true;
  }

  bool hex4(uint32_t& out) {
    if (text_.size() - at_ < 4) return false;
    const char* first = text_.data() + at_;
    const auto [last, error] = std::from_chars(first, first + 4, out, 16);
    if (error != std::errc() || last != first + 4) return false;
    at_ += 4;
    return true;
  }

  bool escape(std::string& out) {
    if (done()) return false;
    switch (text_[at_++]) {
      case '"': out.push_back('"'); return true;
      case '\\': out.push_back('\\'); return true;
      case '/': out.push_back('/'); return true;
      case 'b': out.push_back('\b'); return true;
      case 'f': out.push_back('\f'); return true;
      case 'n': out.push_back('\n'); return true;
      case 'r': out.push_back('\r'); return true;
      case 't': out.push_back('\t'); return true;
      case 'u': return unicode(out);
      default: return false;
    }
  }

  bool unicode(std::string& out) {
    uint32_t code = 0;
    if (!hex4(code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
      uint32_t low = 0;
      if (!take("\\u") || !hex4(low) || low < 0xDC00 || low > 0xDFFF) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
      return false;
    }
    const auto byte = [&out](uint32_t value) { out.push_back(static_cast<char>(value)); };
    if (code < 0x80) {
      byte(code);
    } else if (code < 0x800) {
      byte(0xC0 | (code >> 6)), byte(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      byte(0xE0 | (code >> 12)), byte(0x80 | ((code >> 6) & 0x3F)), byte(0x80 | (code & 0x3F));
    } else {
      byte(0xF0 | (code >> 18)), byte(0x80 | ((code >> 12) & 0x3F)), byte(0x80 | ((code >> 6) & 0x3F)), byte(0x80 | (code & 0x3F));
    }
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

// Length of the UTF-8 character at `at`, 0 when there is none.
size_t utf8Length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  size_t length = 0;
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) length = 2;
  else if (first >= 0xE0 && first <= 0xEF) length = 3;
  else if (first >= 0xF0 && first <= 0xF4) length = 4;
  if (length == 0 || text.size() - at < length) return 0;
  for (size_t i = 1; i < length; i++)
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  const unsigned char second = byte(at + 1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second > 0x9F;
  const bool tooLarge = first == 0xF4 && second > 0x8F;
  return overlong || surrogate || tooLarge ? 0 : length;
}

}  // namespace

std::optional<JsonObject> JsonObject::parse(std::string_view line) {
  JsonObject object;
  Reader reader(line);
  reader.space();
  if (!reader.take('{')) return std::nullopt;
  reader.space();
  bool first = true;
  while (!reader.take('}')) {
    if (!first && !reader.take(',')) return std::nullopt;
    first = false;
    reader.space();
    std::string key;
    if (!reader.string(key)) return std::nullopt;
    reader.space();
    if (!reader.take(':')) return std::nullopt;
    reader.space();
    JsonValue value;
    if (!reader.value(value)) return std::nullopt;
    object.members_.emplace_back(std::move(key), std::move(value));
    reader.space();
  }
  reader.space();
  if (!reader.done()) return std::nullopt;
  return object;
}

const JsonValue* JsonObject::find(std::string_view key) const {
  for (auto member = members_.rbegin(); member != members_.rend(); ++member)
    if (member->first == key) return &member->second;
  return nullptr;
}

std::optional<std::string_view> JsonObject::text(std::string_view key) const {
  const JsonValue* value = find(key);
  const std::string* text = value ? std::get_if<std::string>(value) : nullptr;
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

std::optional<uint64_t> JsonObject::number(std::string_view key) const {
  const JsonValue* value = find(key);
  const double* number = value ? std::get_if<double>(value) : nullptr;
  if (!number || *number < 0 || *number > 9007199254740992.0 || std::floor(*number) != *number) return std::nullopt;
  return static_cast<uint64_t>(*number);
}

void appendJsonString(std::string& out, std::string_view text) {
  out.push_back('"');
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    const size_t length = utf8Length(text, at);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      at++;
      continue;
    }
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out.append(text, at, length);
    }
    at += length;
  }
  out.push_back('"');
}

void JsonLine::key(std::string_view name) {
  if (out_.back() != '{' && out_.back() != '[') out_.push_back(',');
  if (name.empty()) return;
  appendJsonString(out_, name);
  out_.push_back(':');
}

JsonLine& JsonLine::add(std::string_view name, std::string_view value) {
  key(name);
  appendJsonString(out_, value);
  return *this;
}

JsonLine& JsonLine::add(std::string_view name, uint64_t value) {
  key(name);
  out_ += std::to_string(value);
  return *this;
}

JsonLine& JsonLine::add(std::string_view name, double value) {
  key(name);
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", std::isfinite(value) ? value : 0.0);
  out_ += text;
  return *this;
}

JsonLine& JsonLine::add(std::string_view name, bool value) {
  key(name);
  out_ += value ? "true" : "false";
  return *this;
}

JsonLine& JsonLine::open(std::string_view name) {
  key(name);
  out_.push_back('{');
  return *this;
}

JsonLine& JsonLine::openList(std::string_view name) {
  key(name);
  out_.push_back('[');
  return *this;
}

JsonLine& JsonLine::openItem() { return open(""); }

JsonLine& JsonLine::close() {
  out_.push_back('}');
  return *this;
}

JsonLine& JsonLine::closeList() {
  out_.push_back(']');
  return *this;
}

std::string JsonLine::end() {
  out_ += "}\n";
  return std::move(out_);
}

}  // namespace parley
