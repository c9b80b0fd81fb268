// Memory that the media thread writes, in pages of its own that a fork() of the process leaves alone. Otherwise each start of
// a worker process would make all of them copy-on-write, and the media thread would wait in page faults for the fork to end.
// They hold audio and keys of callers, so they are not in a core file either.
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace parley {

inline void keepToOurselves(void* memory, size_t bytes) {
  madvise(memory, bytes, MADV_DONTFORK);
  madvise(memory, bytes, MADV_DONTDUMP);
}

inline size_t wholePages(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

// Zeroed, page-aligned; null when the system has no memory. `touch` maps it all now, so that no use of it faults later.
inline void* allocatePages(size_t bytes, bool touch) {
  void* memory = mmap(nullptr, wholePages(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (touch ? MAP_POPULATE : 0), -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  keepToOurselves(memory, wholePages(bytes));
  return memory;
}

inline void freePages(void* memory, size_t bytes) {
  if (memory != nullptr) munmap(memory, wholePages(bytes));
}

// A base for classes whose objects live in such pages.
struct InPages {
  static void* operator new(size_t bytes) noexcept { return allocatePages(bytes, true); }
  static void operator delete(void* memory, size_t bytes) { freePages(memory, bytes); }
};

// A fixed number of objects side by side in such pages, in huge ones where the system has them: a thread that goes from call to
// call every 20 ms would spend much of its time looking up small pages.
template <typename T>
class ObjectArray {
 public:
  ObjectArray() = default;
  ~ObjectArray() {
    for (size_t i = 0; i < count_; i++) items_[i].~T();
    if (mapped_ != nullptr) munmap(mapped_, mappedBytes_);
  }
  ObjectArray(const ObjectArray&) = delete;
  ObjectArray& operator=(const ObjectArray&) = delete;

  // Constructs all of them, with the same arguments. Once.
  template <typename... Arguments>
  void fill(size_t count, Arguments&... arguments) {
    constexpr size_t kHuge = 2 << 20;
    const size_t bytes = wholePages(count * sizeof(T));
    const bool huge = bytes >= kHuge;
    mappedBytes_ = huge ? (bytes + kHuge - 1) / kHuge * kHuge + kHuge : bytes;
    mapped_ = mmap(nullptr, mappedBytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped_ == MAP_FAILED) mapped_ = nullptr;
    if (mapped_ == nullptr) return;
    keepToOurselves(mapped_, mappedBytes_);
    auto at = reinterpret_cast<uintptr_t>(mapped_);
    if (huge) at = (at + kHuge - 1) / kHuge * kHuge;
    items_ = reinterpret_cast<T*>(at);
    if (huge) madvise(items_, mappedBytes_ - kHuge, MADV_HUGEPAGE);
    // Constructing them touches every page of them.
    for (; count_ < count; count_++) new (&items_[count_]) T(arguments...);
  }
  size_t size() const { return count_; }
  T& operator[](size_t at) { return items_[at]; }
  const T& operator[](size_t at) const { return items_[at]; }
  T* begin() { return items_; }
  T* end() { return items_ + count_; }

 private:
  void* mapped_ = nullptr;
  size_t mappedBytes_ = 0;
  T* items_ = nullptr;
  size_t count_ = 0;
};

// An array of plain values in such pages.
template <typename T>
class PageArray {
 public:
  PageArray(size_t count, bool touch) : count_(count), items_(static_cast<T*>(allocatePages(count * sizeof(T), touch))) {}
  ~PageArray() { freePages(items_, count_ * sizeof(T)); }
  PageArray(const PageArray&) = delete;
  PageArray& operator=(const PageArray&) = delete;
  T& operator[](size_t at) { return items_[at]; }
  T* data() { return items_; }

 private:
  size_t count_;
  T* items_;
};

}  // namespace parley
