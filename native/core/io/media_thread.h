// The media thread: a wheel of 20 slots of 1 ms on the absolute clock, over which calls are staggered. Each tick sends first,
// then takes orders, then drains sockets within a bound, then prepares the frames of the next tick: so an order acts in the
// next slot, and a flood of packets delays no frame. Few calls use few slots, and the thread sleeps through the others.
// It allocates nothing, locks nothing and logs nothing.
#pragma once
#include <pthread.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "io/peer_table.h"
#include "io/udp.h"
#include "session/session.h"
#include "util/histogram.h"
#include "util/pages.h"
#include "util/queue.h"

namespace parley {

enum class CommandType : uint8_t { open, close, remote, addClip, releaseClip, stopClip, control, dtmf };
enum class Control : uint8_t { stop, gain, pause, resume, secure };

// Made and deleted by the owner; the media thread only reads it.
struct Command {
  Command* next = nullptr;
  CommandType type{};
  Control control{};
  uint32_t slot = 0;
  uint32_t generation = 0;
  uint32_t a = 0;
  uint32_t b = 0;
  float value = 0.0f;
  int fd = -1;
  int rtcpFd = -1;
  Clip* clip = nullptr;
  UdpAddress remote;
  SessionOptions session;
};

struct ThreadStats {
  Counter ticks;
  Counter ticksSkipped;   // the thread slept through them: their frames were never sent
  Counter packetsSent;
  Counter packetsReceived;
  Counter sendErrors;
  Counter framesLate;     // sent more than 10 ms after their slot
  Counter strays;         // on the shared socket, from nobody's peer
  Counter eventsLost;     // the owner did not drain for very long
  Counter fifo;           // 1: SCHED_FIFO was granted
  Counter cpuUs;          // CPU time of the thread
  DurationHistogram sendLateness;
};

class MediaThread final : public InPages, private EventSink {
 public:
  MediaThread(AudioMemory& audio, uint32_t maxCalls, bool realtime, void (*notify)(void*), void* notifyContext);
  ~MediaThread();

  // One pair of sockets for all calls that bring none of their own. Before start(); they stay the owner's.
  void share(int rtpFd, int rtcpFd);
  int start();
  void stop();
  void post(Command* command);  // ownership passes until takeSpent()
  Command* takeSpent() { return spent_.takeAll(); }
  bool popEvent(Event& event) { return events_.pop(event); }
  bool popClosed(uint32_t& slot) { return closed_.pop(slot); }
  // The owner is about to drain: the next event notifies again.
  void rearmNotify() { notified_.store(false, std::memory_order_seq_cst); }
  const SessionStats& sessionStats(uint32_t slot) const { return calls_[slot].session.stats; }

  ThreadStats stats;

 private:
  static constexpr uint32_t kSlots = 20;
  static constexpr int kPacketsPerSocket = 8;
  static constexpr size_t kPacketsPerTick = 512;

  struct Call {
    Call(PayloadPool& pool, AudioMemory& audio, EventSink& events) : session(pool, audio, events) {}
    Session session;
    int fd = -1;
    int rtcpFd = -1;
    MonoUs nextReportUs = 0;
    uint32_t random = 1;
    UdpAddress rtcpRemote;
    bool active = false;
    bool hasRemote = false;
    bool connected = false;
    bool prepared = false;
    bool inGapList = false;
    uint32_t phase = 0;
    uint32_t tokens = 0;
    MonoUs tokensAtUs = 0;
    int64_t startTick = 0;
    UdpAddress remote;
    size_t frameBytes = 0;
    std::array<uint8_t, Session::kMaxFrameBytes> frame{};
  };

  static void* entry(void* self);
  void setUp();
  void run();
  void sleepUntilPosted();
  int64_t nextTick() const;
  void tick(MonoUs nowUs);
  void sendTick(int64_t tick);
  void sendFrame(Call& call, int64_t tick);
  void prepare(Call& call, int64_t tick);
  void takeCommands(MonoUs nowUs);
  void apply(const Command& command, MonoUs nowUs);
  void openCall(const Command& command, MonoUs nowUs);
  void closeCall(Call& call);
  void setRemote(Call& call, const UdpAddress& remote, MonoUs nowUs);
  void control(Call& call, Control what, float value);
  void drainSockets(MonoUs nowUs);
  void readSocket(Call& call, bool rtcp, MonoUs nowUs);
  size_t readShared(bool rtcp, MonoUs nowUs);
  void drainShared(MonoUs nowUs);
  void batchFrame(Call& call);
  void flushBatch(int64_t tick);
  void noteSent(Call& call, bool sent, MonoUs lateUs);
  void rebuildPeers();
  void receiveRtcp(Call& call, std::span<const uint8_t> datagram, const UdpAddress& from, MonoUs nowUs);
  void sendReport(Call& call, MonoUs nowUs);
  void watch(int fd, uint32_t tag);
  void receive(Call& call, std::span<const uint8_t> datagram, const UdpAddress& from, MonoUs nowUs);
  bool withinRate(Call& call, MonoUs nowUs);
  void filterAfter(Call& call, bool enough);
  void pollGaps(MonoUs nowUs);
  void publishSendEvents(MonoUs nowUs);
  void event(const Event& event) override;
  void eventAtSend(const Event& event) override;
  void notifyOwner(MonoUs nowUs);

  PayloadPool pool_;
  ObjectArray<Call> calls_;
  std::array<std::vector<Call*>, kSlots> wheel_;
  std::vector<Call*> gaps_;
  size_t mostSendEvents_;
  size_t sendEventCount_ = 0;
  PageArray<Event> sendEvents_;
  SpscRing<Event> events_;
  SpscRing<uint32_t> closed_;
  Mailbox<Command> inbox_;
  Mailbox<Command> spent_;
  bool realtime_;
  void (*notify_)(void*);
  void* notifyContext_;
  bool eventsWaiting_ = false;
  MonoUs lastNotifyUs_ = 0;
  std::atomic<bool> notified_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> sleeping_{false};

  pthread_t thread_{};
  bool running_ = false;
  int wakeFd_ = -1;
  int epollFd_ = -1;
  uint32_t active_ = 0;
  int64_t preparedTick_ = -1;
  int64_t lastTick_ = 0;
  Command* pending_ = nullptr;  // taken from the inbox, not yet applied
  std::array<uint8_t, kMaxDatagramBytes> buffer_{};
  // The shared socket: who is who, and one system call for many datagrams, either way.
  static constexpr size_t kBatch = 64;
  // So many leave together: more would save little, and the first of them would be known as sent only with the last.
  static constexpr size_t kSendBatch = 16;
  int sharedFd_ = -1;
  int sharedRtcpFd_ = -1;
  PeerTable<Call> peers_;
  bool peersChanged_ = false;
  size_t batched_ = 0;
  std::array<Call*, kSendBatch> batchCalls_{};
  std::array<mmsghdr, kSendBatch> batch_{};
  std::array<iovec, kSendBatch> batchParts_{};
  struct Inbound {
    std::array<mmsghdr, kBatch> messages{};
    std::array<iovec, kBatch> parts{};
    std::array<UdpAddress, kBatch> from{};
    std::array<Call*, kBatch> calls{};
    std::array<std::array<uint8_t, kMaxDatagramBytes>, kBatch> buffers;
  };
  std::unique_ptr<Inbound> inbound_;
};

}  // namespace parley
