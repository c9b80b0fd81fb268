/** A call whose recogniser and synthesiser die in the middle of it: real servers as processes of their own, ended while they work. */
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'tap';
import { startServer } from '../../bench/servers/start.ts';
import { CallRunner } from '../../src/call/index.ts';
import type { Dialogue, DialogueEffect } from '../../src/contracts/index.ts';
import { ResilientStt, ResilientTts } from '../../src/engines/index.ts';
import { silentLogger as logger, systemClock as clock, systemTimers as timers } from '../../src/observability/index.ts';
import { createWhisperServer } from '../../src/stt/index.ts';
import { createFakePbx } from '../../src/telephony/index.ts';
import { createEspeak, createPiperHttp } from '../../src/tts/index.ts';
import { TURN_DEFAULTS } from '../../src/turn/index.ts';
import { Callers } from '../support/adapter-rig.ts';
import { FakeMediaEngine } from '../support/fake-media.ts';
import { until } from '../support/stt-rig.ts';
import { MemoryAudit } from '../support/virtual-time.ts';

const say = (text: string): DialogueEffect => ({ t: 'say', text, prompt: 'p', kind: 'statement', interruptible: true });

test('recogniser and synthesiser die in a call: the next ones go on, and the events say who', async (t) => {
  const [first, second, piper] = await Promise.all([startServer('whisper'), startServer('whisper', ['--seed', '5']), startServer('piper')]);
  const callers = new Callers();
  const place = callers.call('i want a table for two');
  for (const server of [first, second]) await server.script('all', callers.script);
  // Asked while the line is open and never answered: it dies with the request in its hands.
  await first.script('all', { ...callers.script, replies: [{ parts: [], fault: 'never' }] });
  const chain = { clock, timers };
  const stt = new ResilientStt(
    [
      { stt: createWhisperServer({ url: first.callUrl('all'), logger }), name: 'one', timeoutMs: 5000 },
      { stt: createWhisperServer({ url: second.callUrl('all'), logger }), name: 'two', timeoutMs: 5000 },
    ],
    chain,
  );
  const tts = new ResilientTts(
    [
      { tts: createPiperHttp({ url: piper.origin }), timeoutMs: 3000 },
      { tts: createEspeak({ logger }), timeoutMs: 5000 },
    ],
    chain,
  );
  const media = Object.assign(
    new FakeMediaEngine({
      get us() {
        return clock.monoUs();
      },
    }),
    { audio: callers.ring.audio },
  );
  await Promise.all([stt.start(callers.ring.audio), tts.start()]);
  const audit = new MemoryAudit();
  const pbx = createFakePbx({ remote: { host: '127.0.0.1', port: 5000 } });
  const heard: string[] = [];
  const dialogue: Dialogue<unknown> = {
    ...{ flow: 'test', version: 'v1', language: 'en', fixedTexts: [], begin: () => null, slots: () => ({}) },
    step: (_state, event) => {
      heard.push(event.t === 'heard' ? event.text : event.t);
      if (event.t === 'start') return [null, [say('welcome'), { t: 'listen', expect: { kind: 'free' } }]];
      return [null, event.t === 'heard' ? [say('thank you very much')] : []];
    },
  };
  const options = { receive: 'ulaw', send: 'ulaw', turn: TURN_DEFAULTS, drainMs: 100 } as const;
  const stages = {
    pbx,
    media,
    stt,
    tts,
    audit,
    logger,
    clock,
    timers,
    flow: () => dialogue,
    desk: () => undefined,
    admit: () => 'continue' as const,
  };
  const runner = new CallRunner(stages, options);
  const playing = setInterval(() => {
    for (const session of media.sessions) if (!session.closed) session.play(10);
  }, 10);
  await pbx.start();
  pbx.ring({ args: { flow: 'test' } });
  t.ok(await until(() => audit.of('agent.said').length === 1), 'the first text is spoken');
  t.match(audit.of('agent.said')[0]?.body.engines, [{ engine: 'piper-http' }]);

  await piper.stop();
  media.sessions[0]?.speech(0, place.toSample / 16);
  t.ok(await until(async () => (await first.seen('all').catch(() => [])).length > 0), 'the first recogniser is asked');
  await first.stop();
  t.ok(await until(() => audit.of('agent.said').length === 2, 20_000), 'the call goes on');
  t.ok(heard.includes('i want a table for two'), heard.join(' | '));
  t.match(audit.of('caller.said')[0]?.body.engines, [{ engine: 'two', before: [{ engine: 'one', outcome: 'STT_FAILED' }] }]);
  t.match(audit.of('agent.said')[1]?.body, {
    heardWords: 4,
    engines: [{ engine: 'espeak-ng', before: [{ engine: 'piper-http', outcome: 'TTS_FAILED' }] }],
  });
  t.equal(audit.of('call.ended').length, 0);
  t.equal(audit.of('turn.failed').length, 0, 'the caller heard nothing of it');
  for (const call of runner.openCalls()) pbx.callerHangsUp(call.pbxId);
  await pause(50);
  clearInterval(playing);
  await Promise.all([stt.stop(), tts.stop(), second.stop()]);
  callers.ring.free();
});
