// Answers: one JSON line per write, from any thread. Words go here and nowhere else.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

namespace parley {

class Output {
 public:
  void write(const std::string& line);
  void error(std::string_view kind, std::string_view message);

 private:
  std::mutex mutex_;
};

}  // namespace parley
