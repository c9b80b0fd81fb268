#include "scheduler.h"

#include <algorithm>

#include "json.h"

namespace parley {
namespace {

constexpr size_t kMostQueued = 4096;

double milliseconds(std::chrono::steady_clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

std::string_view nameOf(AudioResult result) {
  switch (result) {
    case AudioResult::gone: return "audio-gone";
    case AudioResult::closed: return "call-closed";
    case AudioResult::badRange: return "bad-range";
    case AudioResult::ok:
    case AudioResult::stopped: break;
  }
  return "failed";
}

}  // namespace

Scheduler::Scheduler(Model& model, const AudioRing& audio, Output& output, const SchedulerOptions& options)
    : model_(model), audio_(audio), output_(output), options_(options) {}

Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    for (const JobPtr& job : running_) giveUp(job, Gone::closed);
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Scheduler::start(bool& stopsInside) {
  for (int i = 0; i < options_.lanes; i++) {
    lanes_.push_back(std::make_unique<Lane>(model_));
    if (!lanes_.back()->ready()) return false;
  }
  stopsInside = std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->stopsInside(); });
  // A hiss that nobody takes for words: the first call must not pay for page faults.
  std::vector<float> hiss(WHISPER_SAMPLE_RATE);
  uint32_t noise = 1;
  for (float& sample : hiss) {
    noise = noise * 1664525u + 1013904223u;
    sample = static_cast<float>(static_cast<int32_t>(noise)) * 1e-11f;
  }
  lanes_.front()->decode(hiss, {"en", "", options_.threads});
  for (size_t i = 0; i < lanes_.size(); i++) threads_.emplace_back([this, i] { work(i); });
  return true;
}

void Scheduler::open(uint64_t id, uint32_t slot, uint32_t generation, const std::string& language) {
  const std::lock_guard lock(mutex_);
  sessions_[id] = Session{slot, generation, language, nullptr};
}

void Scheduler::close(uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto session = sessions_.find(id);
  if (session == sessions_.end()) return;
  dropQueued(finals_, id, Gone::closed);
  dropQueued(partials_, id, Gone::closed);
  if (session->second.running) giveUp(session->second.running, Gone::closed);
  sessions_.erase(session);
  wake_.notify_all();  // partials may have waited for a tail that will not be
}

void Scheduler::submit(Request request) {
  const std::lock_guard lock(mutex_);
  const auto session = sessions_.find(request.session);
  if (session == sessions_.end()) return answerError(request.id, "no-session");
  if (finals_.size() + partials_.size() >= kMostQueued) return answerError(request.id, "busy");
  auto job = std::make_shared<Job>();
  job->request = std::move(request);
  job->queuedAt = Clock::now();
  dropQueued(partials_, job->request.session, Gone::superseded);
  if (job->request.final) {
    const JobPtr& running = session->second.running;
    if (running && !running->request.final) giveUp(running, Gone::superseded);
    finals_.push_back(job);
    makeRoom();
  } else {
    partials_.push_back(job);
  }
  wake_.notify_all();
}

void Scheduler::abort(uint64_t id) {
  const std::lock_guard lock(mutex_);
  for (std::deque<JobPtr>* queue : {&finals_, &partials_}) {
    const auto job = std::find_if(queue->begin(), queue->end(), [id](const JobPtr& entry) { return entry->request.id == id; });
    if (job == queue->end()) continue;
    answerGone(**job, Gone::aborted);
    queue->erase(job);
    wake_.notify_all();
    return;
  }
  for (const JobPtr& job : running_)
    if (job->request.id == id) giveUp(job, Gone::aborted);
}

size_t Scheduler::running() {
  const std::lock_guard lock(mutex_);
  return running_.size();
}

void Scheduler::dropQueued(std::deque<JobPtr>& queue, uint64_t session, Gone why) {
  std::erase_if(queue, [&](const JobPtr& job) {
    if (job->request.session != session) return false;
    answerGone(*job, why);
    return true;
  });
}

void Scheduler::giveUp(const JobPtr& job, Gone why) {
  // Put aside, it may still be given up for good; never the other way round.
  if (job->gone == Gone::no || job->gone == Gone::aside) job->gone = why;
  job->lane->stop();
}

// How many partials may run now. Beside a tail they take its caches and its share of the cores: with a partial on the
// other of two lanes a tail took twice as long, so they leave it half the lanes and one more for every other tail.
size_t Scheduler::partialsAllowed() const {
  const auto decoding = static_cast<size_t>(std::count_if(running_.begin(), running_.end(), [](const JobPtr& job) { return job->request.final; }));
  const size_t tails = finals_.size() + decoding;
  if (tails == 0) return lanes_.size();
  return lanes_.size() / 2 > tails ? lanes_.size() / 2 - tails : 0;
}

size_t Scheduler::partialsRunning() const {
  return static_cast<size_t>(
      std::count_if(running_.begin(), running_.end(), [](const JobPtr& job) { return !job->request.final && job->gone == Gone::no; }));
}

// A final has come: put partials aside, the youngest first, because they lose least.
void Scheduler::makeRoom() {
  for (size_t partials = partialsRunning(); partials > partialsAllowed(); partials--) {
    JobPtr youngest;
    for (const JobPtr& job : running_)
      if (!job->request.final && job->gone == Gone::no && (!youngest || job->startedAt > youngest->startedAt)) youngest = job;
    giveUp(youngest, Gone::aside);
  }
}

// The oldest job of a call that is not being decoded already; finals first. Called with the lock held.
Scheduler::JobPtr Scheduler::next() {
  for (std::deque<JobPtr>* queue : {&finals_, &partials_}) {
    if (queue == &partials_ && partialsRunning() >= partialsAllowed()) return nullptr;
    for (auto job = queue->begin(); job != queue->end(); ++job) {
      const auto session = sessions_.find((*job)->request.session);
      if (session == sessions_.end() || session->second.running) continue;
      JobPtr chosen = *job;
      queue->erase(job);
      return chosen;
    }
  }
  return nullptr;
}

void Scheduler::work(size_t index) {
  Lane& lane = *lanes_[index];
  std::unique_lock lock(mutex_);
  while (!ending_) {
    const JobPtr job = next();
    if (!job) {
      wake_.wait(lock);
      continue;
    }
    Session& session = sessions_[job->request.session];
    session.running = job;
    job->lane = &lane;
    job->startedAt = Clock::now();
    lane.arm();
    running_.push_back(job);
    const int threads = std::clamp(options_.threads / static_cast<int>(running_.size()), 1, options_.laneThreads);
    const Session copy = session;
    lock.unlock();
    run(lane, job, copy, threads);
    lock.lock();
    wake_.notify_all();  // the next decode of this call, and partials that waited for a tail
  }
}

void Scheduler::run(Lane& lane, const JobPtr& job, const Session& session, int threads) {
  std::vector<float> audio;
  const Request& request = job->request;
  const AudioResult read = audio_.read(session.slot, session.generation, request.from, request.to, options_.waitMs, [&lane] { return lane.stopped(); }, audio);
  Decoded decoded;
  if (read == AudioResult::ok) decoded = lane.decode(audio, {session.language, request.prompt, threads});
  else decoded.status = read == AudioResult::stopped ? Decoded::Status::aborted : Decoded::Status::failed;
  std::fill(audio.begin(), audio.end(), 0.0f);
  finish(job, read, std::move(decoded));
}

void Scheduler::finish(const JobPtr& job, const AudioResult& read, Decoded decoded) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  std::erase(running_, job);
  const auto session = sessions_.find(job->request.session);
  if (session != sessions_.end() && session->second.running == job) {
    session->second.running = nullptr;
    if (job->request.final && session->second.language == "auto" && !decoded.language.empty()) session->second.language = decoded.language;
  }
  job->lane = nullptr;
  if (decoded.status == Decoded::Status::aborted && job->gone == Gone::aside && session != sessions_.end()) {
    const bool newer = std::any_of(partials_.begin(), partials_.end(), [&](const JobPtr& other) { return other->request.session == job->request.session; });
    if (newer) return answerGone(*job, Gone::superseded);
    job->gone = Gone::no;
    partials_.push_front(job);
    return;
  }
  if (decoded.status == Decoded::Status::aborted) return answerGone(*job, job->gone);
  if (decoded.status == Decoded::Status::failed) return answerError(job->request.id, nameOf(read));
  JsonLine line;
  line.add("id", job->request.id).add("text", decoded.text).add("confidence", decoded.confidence);
  line.add("language", decoded.language).openList("words");
  for (const Word& word : decoded.words)
    line.openItem().add("text", word.text).add("from", job->request.from + word.from).add("to", job->request.from + word.to).close();
  line.closeList().add("queueMs", milliseconds(job->startedAt - job->queuedAt)).add("decodeMs", milliseconds(now - job->startedAt));
  output_.write(line.end());
}

void Scheduler::answerGone(const Job& job, Gone why) {
  switch (why) {
    case Gone::superseded: return answerError(job.request.id, "superseded");
    case Gone::closed: return answerError(job.request.id, "call-closed");
    case Gone::no:
    case Gone::aside:
    case Gone::aborted: return answerError(job.request.id, "aborted");
  }
}

void Scheduler::answerError(uint64_t id, std::string_view error) { output_.write(JsonLine().add("id", id).add("error", error).end()); }

}  // namespace parley
