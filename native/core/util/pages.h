// Memory that the media thread writes, in pages of its own that a fork() of the process leaves alone. Otherwise each start of
// a worker process would make all of them copy-on-write, and the media thread would wait in page faults for the fork to end.
#pragma once
#include <sys/mman.h>

#include <cstddef>

namespace parley {

inline size_t wholePages(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

// Zeroed, page-aligned; null when the system has no memory. `touch` maps it all now, so that no use of it faults later.
inline void* allocatePages(size_t bytes, bool touch) {
  void* memory = mmap(nullptr, wholePages(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (touch ? MAP_POPULATE : 0), -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  madvise(memory, wholePages(bytes), MADV_DONTFORK);
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
