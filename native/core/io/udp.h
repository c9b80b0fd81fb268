// UDP sockets and addresses, numeric only: the media path never asks a name server.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace parley {

struct UdpAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  // False when `host` is no IPv4 or IPv6 address.
  static bool parse(const std::string& host, uint16_t port, UdpAddress& out);
  bool operator==(const UdpAddress& other) const;
  // Where RTCP goes (RFC 3550 section 11).
  UdpAddress withNextPort() const { return withPort(1); }
  UdpAddress withPreviousPort() const { return withPort(-1); }
  uint64_t hash() const;

 private:
  UdpAddress withPort(int step) const;
};

// A bound, non-blocking socket; or -errno.
int openUdp(const UdpAddress& local);
// For a socket that serves so many calls: room for a second of all of them, or as much as the system grants.
void widenReceiveBuffer(int fd, uint32_t calls);

}  // namespace parley
