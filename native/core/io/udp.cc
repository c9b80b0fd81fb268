#include "io/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace parley {

namespace {
// Room for 1 s of the largest packets; the kernel counts its own overhead too.
constexpr int kReceiveBytes = 128 * 1024;
// Expedited forwarding (RFC 4594): voice.
constexpr int kDscpEf = 46 << 2;
}  // namespace

bool UdpAddress::parse(const std::string& host, uint16_t port, UdpAddress& out) {
  out = {};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out.length = sizeof(*v4);
    return true;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    out.length = sizeof(*v6);
    return true;
  }
  return false;
}

bool UdpAddress::operator==(const UdpAddress& other) const {
  if (storage.ss_family != other.storage.ss_family) return false;
  if (storage.ss_family == AF_INET) {
    const auto* a = reinterpret_cast<const sockaddr_in*>(&storage);
    const auto* b = reinterpret_cast<const sockaddr_in*>(&other.storage);
    return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
  }
  const auto* a = reinterpret_cast<const sockaddr_in6*>(&storage);
  const auto* b = reinterpret_cast<const sockaddr_in6*>(&other.storage);
  return a->sin6_port == b->sin6_port && std::memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0;
}

UdpAddress UdpAddress::withPort(int step) const {
  UdpAddress next = *this;
  // The port lies at the same place in both families.
  auto* address = reinterpret_cast<sockaddr_in*>(&next.storage);
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  address->sin_port = htons(static_cast<uint16_t>(ntohs(address->sin_port) + step));
  return next;
}

uint64_t UdpAddress::hash() const {
  uint64_t mixed = 0;
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    mixed = uint64_t{v4->sin_addr.s_addr} << 16 | v4->sin_port;
  } else {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    uint64_t halves[2];
    std::memcpy(halves, &v6->sin6_addr, sizeof(halves));
    mixed = halves[0] ^ (halves[1] * 31) ^ v6->sin6_port;
  }
  mixed *= 0x9e3779b97f4a7c15u;
  return mixed ^ mixed >> 32;
}

void widenReceiveBuffer(int fd, uint32_t calls) {
  // 50 packets a second, each counted with what the kernel keeps beside it; it doubles what is asked for.
  constexpr uint32_t kBytesPerCall = 50 * 1280 / 2;
  const int wide = static_cast<int>(std::max<uint32_t>(4 << 20, std::min<uint32_t>(calls, 4096) * kBytesPerCall));
  // The privileged form goes beyond net.core.rmem_max.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wide, sizeof(wide)) != 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wide, sizeof(wide));
}

int openUdp(const UdpAddress& local) {
  const int fd = socket(local.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof(kReceiveBytes));
  if (local.storage.ss_family == AF_INET) {
    setsockopt(fd, IPPROTO_IP, IP_TOS, &kDscpEf, sizeof(kDscpEf));
  } else {
    setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &kDscpEf, sizeof(kDscpEf));
  }
  if (bind(fd, reinterpret_cast<const sockaddr*>(&local.storage), local.length) != 0) {
    const int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

}  // namespace parley
