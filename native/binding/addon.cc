// The edge to JavaScript: arguments to plain values, values to core, events out in batches. No decision is made here.
// The functions stand in the same order as in src/media/native.ts, which validates before it calls.
#include <napi.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "io/engine.h"

namespace {

using parley::CallRef;
using parley::Engine;
using parley::Event;

// Raised with API_VERSION of src/media/native.ts whenever the edge changes: functions, their arguments, the order of fields.
constexpr uint32_t kApiVersion = 2;

constexpr size_t kEventFields = 10;  // type, slot, generation, a, b, sample, atUs, pitchSlope, levelDropDb, syllablesPerS

struct Handle {
  std::unique_ptr<Engine> engine;
  napi_threadsafe_function wake = nullptr;
  Napi::FunctionReference onEvents;
  napi_env env = nullptr;
};

void onWake(napi_env env, napi_value, void* context, void*) {
  auto* handle = static_cast<Handle*>(context);
  if (env == nullptr || handle->engine == nullptr) return;
  Napi::HandleScope scope(env);
  handle->onEvents.Call({});
}

void notify(void* context) {
  // Refused only while the environment goes away.
  (void)napi_call_threadsafe_function(static_cast<Handle*>(context)->wake, nullptr, napi_tsfn_nonblocking);
}

void shutDown(Handle* handle) {
  if (handle->engine == nullptr) return;
  handle->engine->stop();  // the media thread has ended: no notify() after this
  handle->engine.reset();
  napi_release_threadsafe_function(handle->wake, napi_tsfn_abort);
  handle->onEvents.Reset();
}

void onEnvironmentGone(void* data) { shutDown(static_cast<Handle*>(data)); }

uint32_t u32(const Napi::CallbackInfo& info, size_t at) { return info[at].As<Napi::Number>().Uint32Value(); }
Handle* handleOf(const Napi::CallbackInfo& info) { return info[0].As<Napi::External<Handle>>().Data(); }
Engine* engineOf(const Napi::CallbackInfo& info) { return handleOf(info)->engine.get(); }
CallRef callOf(const Napi::CallbackInfo& info) { return {u32(info, 1), u32(info, 2)}; }
Napi::Value answer(const Napi::CallbackInfo& info, bool ok) { return Napi::Boolean::New(info.Env(), ok); }

// An open engine keeps the process alive only while calls are open.
void holdLoop(Handle* handle) {
  if (handle->engine->openCalls() > 0) {
    napi_ref_threadsafe_function(handle->env, handle->wake);
  } else {
    napi_unref_threadsafe_function(handle->env, handle->wake);
  }
}

// createEngine(host, portMin, portMax, maxCalls, historyMs, realtime, keepSent, sharedSocket, onEvents) -> engine | errno
Napi::Value createEngine(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto handle = std::make_unique<Handle>();
  handle->env = env;
  parley::EngineOptions options;
  options.host = info[0].As<Napi::String>().Utf8Value();
  options.portMin = static_cast<uint16_t>(u32(info, 1));
  options.portMax = static_cast<uint16_t>(u32(info, 2));
  options.maxCalls = u32(info, 3);
  options.historyMs = u32(info, 4);
  options.realtime = info[5].As<Napi::Boolean>().Value();
  options.keepSent = info[6].As<Napi::Boolean>().Value();
  options.sharedSocket = info[7].As<Napi::Boolean>().Value();
  options.notify = notify;
  options.notifyContext = handle.get();
  handle->onEvents = Napi::Persistent(info[8].As<Napi::Function>());
  const napi_status made = napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "parley-media"), 0, 1,
                                                           nullptr, nullptr, handle.get(), onWake, &handle->wake);
  if (made != napi_ok) return Napi::Number::New(env, ENOMEM);
  napi_unref_threadsafe_function(env, handle->wake);
  handle->engine = std::make_unique<Engine>(std::move(options));
  if (const int error = handle->engine->start(); error != 0) {
    shutDown(handle.get());
    return Napi::Number::New(env, error);
  }
  napi_add_env_cleanup_hook(env, onEnvironmentGone, handle.get());
  return Napi::External<Handle>::New(env, handle.release(), [](Napi::Env inner, Handle* gone) {
    napi_remove_env_cleanup_hook(inner, onEnvironmentGone, gone);
    shutDown(gone);
    delete gone;
  });
}

// closeEngine(engine)
Napi::Value closeEngine(const Napi::CallbackInfo& info) {
  shutDown(handleOf(info));
  return info.Env().Undefined();
}

// audioMemory(engine, out: Float64Array[2]): fd, bytes
Napi::Value audioMemory(const Napi::CallbackInfo& info) {
  double* out = info[1].As<Napi::Float64Array>().Data();
  out[0] = engineOf(info)->audio().fd();
  out[1] = static_cast<double>(engineOf(info)->audio().bytes());
  return info.Env().Undefined();
}

// openCall(engine, receive, send, dtmfPayloadType, suppressNoise, cancelEcho, out: Float64Array[4]): 0 or an OpenError; slot,
// generation, port, errno
Napi::Value openCall(const Napi::CallbackInfo& info) {
  const Engine::Opened opened =
      engineOf(info)->open(static_cast<parley::Codec>(u32(info, 1)), static_cast<parley::Codec>(u32(info, 2)),
                           static_cast<uint8_t>(u32(info, 3)),
                           {info[4].As<Napi::Boolean>().Value(), info[5].As<Napi::Boolean>().Value()});
  double* out = info[6].As<Napi::Float64Array>().Data();
  out[0] = opened.call.slot;
  out[1] = opened.call.generation;
  out[2] = opened.port;
  out[3] = opened.systemError;
  holdLoop(handleOf(info));
  return Napi::Number::New(info.Env(), static_cast<double>(opened.error));
}

// cleaningAvailable(): false where libspeexdsp is missing
Napi::Value cleaningAvailable(const Napi::CallbackInfo& info) { return answer(info, Engine::cleaningAvailable()); }

// setRemote(engine, slot, generation, host, port)
Napi::Value setRemote(const Napi::CallbackInfo& info) {
  return answer(info, engineOf(info)->setRemote(callOf(info), info[3].As<Napi::String>().Utf8Value(),
                                                static_cast<uint16_t>(u32(info, 4))));
}

// openClip(engine, slot, generation, rateHz, held, marks: Float64Array | null, loop) -> clip or 0
Napi::Value openClip(const Napi::CallbackInfo& info) {
  std::vector<uint64_t> marks;
  if (!info[5].IsNull()) {
    const auto given = info[5].As<Napi::Float64Array>();
    for (size_t i = 0; i < given.ElementLength(); i++) marks.push_back(static_cast<uint64_t>(given[i]));
  }
  const uint32_t clip =
      engineOf(info)->openClip(callOf(info), u32(info, 3), info[4].As<Napi::Boolean>().Value(), std::move(marks),
                               info[6].As<Napi::Boolean>().Value());
  return Napi::Number::New(info.Env(), clip);
}

// writeClip(engine, slot, generation, clip, pcm: Int16Array)
Napi::Value writeClip(const Napi::CallbackInfo& info) {
  const auto pcm = info[4].As<Napi::Int16Array>();
  return answer(info, engineOf(info)->writeClip(callOf(info), u32(info, 3), {pcm.Data(), pcm.ElementLength()}));
}

// endClip(engine, slot, generation, clip)
Napi::Value endClip(const Napi::CallbackInfo& info) {
  return answer(info, engineOf(info)->endClip(callOf(info), u32(info, 3)));
}

// releaseClip(engine, slot, generation, clip)
Napi::Value releaseClip(const Napi::CallbackInfo& info) {
  return answer(info, engineOf(info)->releaseClip(callOf(info), u32(info, 3)));
}

// lastRound(engine, slot, generation, clip)
Napi::Value lastRound(const Napi::CallbackInfo& info) {
  return answer(info, engineOf(info)->lastRound(callOf(info), u32(info, 3)));
}

// stopClip(engine, slot, generation, clip, fadeMs)
Napi::Value stopClip(const Napi::CallbackInfo& info) {
  return answer(info, engineOf(info)->stopClip(callOf(info), u32(info, 3), u32(info, 4)));
}

// control(engine, slot, generation, what, value)
Napi::Value control(const Napi::CallbackInfo& info) {
  return answer(info, engineOf(info)->control(callOf(info), static_cast<parley::Control>(u32(info, 3)),
                                              info[4].As<Napi::Number>().FloatValue()));
}

// sendDtmf(engine, slot, generation, character code, durationMs)
Napi::Value sendDtmf(const Napi::CallbackInfo& info) {
  return answer(info, engineOf(info)->sendDtmf(callOf(info), static_cast<char>(u32(info, 3)), u32(info, 4)));
}

// closeCall(engine, slot, generation)
Napi::Value closeCall(const Napi::CallbackInfo& info) {
  const bool closed = engineOf(info)->close(callOf(info));
  holdLoop(handleOf(info));
  return answer(info, closed);
}

// drain(engine, out: Float64Array) -> number of events, kEventFields numbers each
Napi::Value drain(const Napi::CallbackInfo& info) {
  auto out = info[1].As<Napi::Float64Array>();
  double* to = out.Data();
  std::array<Event, 64> batch;
  const size_t capacity = std::min(batch.size(), out.ElementLength() / kEventFields);
  const size_t count = engineOf(info)->drain(batch.data(), capacity);
  for (size_t i = 0; i < count; i++) {
    const Event& event = batch[i];
    *to++ = static_cast<double>(event.type);
    *to++ = event.slot;
    *to++ = event.generation;
    *to++ = event.a;
    *to++ = static_cast<double>(event.b);
    *to++ = static_cast<double>(event.sample);
    *to++ = static_cast<double>(event.atUs);
    *to++ = event.voice.pitchSlope;
    *to++ = event.voice.levelDropDb;
    *to++ = event.voice.syllablesPerS;
  }
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

// callStats(engine, slot, generation, out: Float64Array): false when closed
Napi::Value callStats(const Napi::CallbackInfo& info) {
  const parley::SessionStats* stats = engineOf(info)->stats(callOf(info));
  if (stats == nullptr) return answer(info, false);
  double* out = info[3].As<Napi::Float64Array>().Data();
  for (const parley::Counter* counter :
       {&stats->packetsReceived, &stats->packetsSent, &stats->framesConcealed, &stats->lateFrames, &stats->duplicates,
        &stats->reordered, &stats->reanchored, &stats->underruns, &stats->sendErrors, &stats->sample, &stats->sentSample,
        &stats->jitterUs, &stats->packetsLost, &stats->roundTripUs, &stats->remoteLostShare, &stats->remoteJitterUs,
        &stats->reportsReceived, &stats->reportsSent})
    *out++ = static_cast<double>(counter->get());
  for (const parley::Counter& counter : stats->dropped) *out++ = static_cast<double>(counter.get());
  return answer(info, true);
}

// engineStats(engine, out: Float64Array)
Napi::Value engineStats(const Napi::CallbackInfo& info) {
  const Engine& engine = *engineOf(info);
  const parley::ThreadStats& stats = engine.threadStats();
  double* out = info[1].As<Napi::Float64Array>().Data();
  *out++ = engine.openCalls();
  for (const parley::Counter* counter :
       {&stats.ticks, &stats.ticksSkipped, &stats.packetsSent, &stats.packetsReceived, &stats.sendErrors, &stats.framesLate,
        &stats.strays, &stats.eventsLost, &stats.fifo, &stats.cpuUs})
    *out++ = static_cast<double>(counter->get());
  for (double share : {0.5, 0.99, 0.999}) *out++ = static_cast<double>(stats.sendLateness.percentileUs(share));
  *out++ = static_cast<double>(stats.sendLateness.maxUs());
  return info.Env().Undefined();
}

// read(engine, slot, generation, fromSample, out: Int16Array) -> a parley_audio_result
Napi::Value read(const Napi::CallbackInfo& info) {
  auto out = info[4].As<Napi::Int16Array>();
  const auto from = static_cast<uint64_t>(info[3].As<Napi::Number>().DoubleValue());
  const parley_audio_result result =
      parley_audio_read(engineOf(info)->audio().data(), u32(info, 1), u32(info, 2), from, from + out.ElementLength(), out.Data(), nullptr);
  return Napi::Number::New(info.Env(), result);
}

// readSent(engine, slot, generation, fromSample, out: Int16Array) -> a parley_audio_result
Napi::Value readSent(const Napi::CallbackInfo& info) {
  auto out = info[4].As<Napi::Int16Array>();
  const auto from = static_cast<uint64_t>(info[3].As<Napi::Number>().DoubleValue());
  return Napi::Number::New(info.Env(), parley_audio_read_sent(engineOf(info)->audio().data(), u32(info, 1), u32(info, 2), from,
                                                              from + out.ElementLength(), out.Data()));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports["apiVersion"] = Napi::Number::New(env, kApiVersion);
  exports["createEngine"] = Napi::Function::New(env, createEngine);
  exports["closeEngine"] = Napi::Function::New(env, closeEngine);
  exports["audioMemory"] = Napi::Function::New(env, audioMemory);
  exports["openCall"] = Napi::Function::New(env, openCall);
  exports["cleaningAvailable"] = Napi::Function::New(env, cleaningAvailable);
  exports["setRemote"] = Napi::Function::New(env, setRemote);
  exports["openClip"] = Napi::Function::New(env, openClip);
  exports["writeClip"] = Napi::Function::New(env, writeClip);
  exports["endClip"] = Napi::Function::New(env, endClip);
  exports["releaseClip"] = Napi::Function::New(env, releaseClip);
  exports["lastRound"] = Napi::Function::New(env, lastRound);
  exports["stopClip"] = Napi::Function::New(env, stopClip);
  exports["control"] = Napi::Function::New(env, control);
  exports["sendDtmf"] = Napi::Function::New(env, sendDtmf);
  exports["closeCall"] = Napi::Function::New(env, closeCall);
  exports["drain"] = Napi::Function::New(env, drain);
  exports["callStats"] = Napi::Function::New(env, callStats);
  exports["engineStats"] = Napi::Function::New(env, engineStats);
  exports["read"] = Napi::Function::New(env, read);
  exports["readSent"] = Napi::Function::New(env, readSent);
  return exports;
}

}  // namespace

NODE_API_MODULE(parley_media, init)
