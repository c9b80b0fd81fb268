// Lock-free hand-over between the JavaScript thread and the media thread.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "util/pages.h"

namespace parley {

// Single producer, single consumer, fixed size. A full ring refuses (the producer counts it); nothing ever waits.
template <typename T>
class SpscRing {
 public:
  // Touches all of its memory, so that neither side takes a page fault later.
  explicit SpscRing(size_t capacityPowerOfTwo) : mask_(capacityPowerOfTwo - 1), items_(capacityPowerOfTwo, true) {}

  bool push(const T& item) {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) > mask_) return false;
    items_[head & mask_] = item;
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  bool pop(T& item) {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_.load(std::memory_order_acquire)) return false;
    item = items_[tail & mask_];
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  bool empty() const { return tail_.load(std::memory_order_acquire) == head_.load(std::memory_order_acquire); }

 private:
  size_t mask_;
  PageArray<T> items_;
  alignas(64) std::atomic<size_t> head_{0};
  alignas(64) std::atomic<size_t> tail_{0};
};

// Many producers, one consumer that takes everything at once, oldest first. Nodes carry `Node* next`; the pusher owns a
// node until push, the taker afterwards.
template <typename Node>
class Mailbox {
 public:
  void push(Node* node) {
    Node* top = top_.load(std::memory_order_relaxed);
    do {
      node->next = top;
    } while (!top_.compare_exchange_weak(top, node, std::memory_order_seq_cst, std::memory_order_relaxed));
  }

  bool empty() const { return top_.load(std::memory_order_seq_cst) == nullptr; }

  Node* takeAll() {
    if (top_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    Node* node = top_.exchange(nullptr, std::memory_order_acquire);
    Node* oldestFirst = nullptr;
    while (node != nullptr) {
      Node* next = node->next;
      node->next = oldestFirst;
      oldestFirst = node;
      node = next;
    }
    return oldestFirst;
  }

 private:
  std::atomic<Node*> top_{nullptr};
};

// A counter with one writer: readers on other threads see a recent value, the writer pays no locked instruction.
class Counter {
 public:
  void add(uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  void set(uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace parley
