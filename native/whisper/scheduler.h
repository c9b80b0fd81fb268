// Who is decoded next. Finals before partials; of the partials of one call only the newest; a final puts partials of other
// calls aside, and they start again afterwards.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "audio_ring.h"
#include "output.h"
#include "recogniser.h"

namespace parley {

struct SchedulerOptions {
  int lanes = 1;         // decodes in flight
  int threads = 1;       // CPU threads that all lanes may take together
  int laneThreads = 4;   // ... and one lane at most
  int waitMs = 200;      // for audio that is just being said
};

struct Request {
  uint64_t id = 0;
  uint64_t session = 0;
  uint64_t from = 0;
  uint64_t to = 0;
  bool final = false;
  std::string prompt;
};

class Scheduler {
 public:
  Scheduler(Model& model, const AudioRing& audio, Output& output, const SchedulerOptions& options);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Returns when every lane has its memory and one silent decode has been run. False: out of memory.
  bool start(bool& stopsInside);

  void open(uint64_t session, uint32_t slot, uint32_t generation, const std::string& language);
  void close(uint64_t session);
  void submit(Request request);
  void abort(uint64_t id);
  // Decodes in progress.
  size_t running();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Gone { no, aborted, superseded, closed, aside };
  struct Job {
    Request request;
    Clock::time_point queuedAt;
    Clock::time_point startedAt;
    Gone gone = Gone::no;
    Lane* lane = nullptr;
  };
  using JobPtr = std::shared_ptr<Job>;
  struct Session {
    uint32_t slot = 0;
    uint32_t generation = 0;
    std::string language;
    JobPtr running;
  };

  void work(size_t index);
  JobPtr next();
  void run(Lane& lane, const JobPtr& job, const Session& session, int threads);
  void finish(const JobPtr& job, const AudioResult& audio, Decoded decoded);
  void answerGone(const Job& job, Gone why);
  void answerError(uint64_t id, std::string_view error);
  void giveUp(const JobPtr& job, Gone why);
  void makeRoom();
  size_t partialsAllowed() const;
  size_t partialsRunning() const;
  void dropQueued(std::deque<JobPtr>& queue, uint64_t session, Gone why);

  Model& model_;
  const AudioRing& audio_;
  Output& output_;
  const SchedulerOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<JobPtr> finals_;
  std::deque<JobPtr> partials_;
  std::vector<JobPtr> running_;
  std::unordered_map<uint64_t, Session> sessions_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::thread> threads_;
  bool ending_ = false;
};

}  // namespace parley
