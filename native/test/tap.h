// A test harness of one page: TEST("what holds") { CHECK(...); CHECK_EQ(a, b); } prints TAP.
#pragma once
#include <cstdio>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

namespace tap {

struct Case {
  const char* name;
  void (*body)();
};
inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}
struct Register {
  Register(const char* name, void (*body)()) { cases().push_back({name, body}); }
};
inline int& failures() {
  static int count = 0;
  return count;
}
inline void fail(const char* file, int line, const std::string& what) {
  // One broken loop shall not flood the report.
  if (++failures() <= 20) std::printf("# %s:%d: %s\n", file, line, what.c_str());
}
template <typename T>
std::string show(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<long long>(value));
  } else {
    return std::to_string(value);
  }
}
// Runs the cases whose name holds `filter`; the exit status of main().
inline int run(const std::string& filter) {
  int failed = 0;
  size_t number = 0;
  std::printf("TAP version 14\n");
  for (const Case& one : cases()) {
    if (std::string(one.name).find(filter) == std::string::npos) continue;
    failures() = 0;
    one.body();
    if (failures() > 0) failed++;
    std::printf("%s %zu - %s\n", failures() > 0 ? "not ok" : "ok", ++number, one.name);
    std::fflush(stdout);
  }
  std::printf("1..%zu\n", number);
  return failed > 0 ? 1 : 0;
}

}  // namespace tap

#define TAP_JOIN2(a, b) a##b
#define TAP_JOIN(a, b) TAP_JOIN2(a, b)
#define TEST(name)                                                                          \
  static void TAP_JOIN(tapBody, __LINE__)();                                                \
  static const tap::Register TAP_JOIN(tapCase, __LINE__)(name, TAP_JOIN(tapBody, __LINE__)); \
  static void TAP_JOIN(tapBody, __LINE__)()
#define CHECK(condition) \
  do {                   \
    if (!(condition)) tap::fail(__FILE__, __LINE__, #condition); \
  } while (0)
#define CHECK_EQ(actual, expected)                                                                                     \
  do {                                                                                                                 \
    const auto tapA = (actual);                                                                                        \
    const auto tapE = (expected);                                                                                      \
    if (!(tapA == static_cast<std::decay_t<decltype(tapA)>>(tapE)))                                                                  \
      tap::fail(__FILE__, __LINE__, std::string(#actual " is ") + tap::show(tapA) + ", expected " + tap::show(tapE)); \
  } while (0)
#define CHECK_NEAR(actual, expected, tolerance)                                                                        \
  do {                                                                                                                 \
    const double tapA = static_cast<double>(actual);                                                                   \
    const double tapE = static_cast<double>(expected);                                                                 \
    if (!(tapA >= tapE - (tolerance) && tapA <= tapE + (tolerance)))                                                   \
      tap::fail(__FILE__, __LINE__, std::string(#actual " is ") + tap::show(tapA) + ", expected about " + tap::show(tapE)); \
  } while (0)
