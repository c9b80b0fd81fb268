/**
 * Everything that happens, as one discriminated union. This is what the audit chain holds, what the console shows
 * and what a replay reads. `body` is structural: no words, names or numbers of a person, ever. `content` is personal: it is
 * shown live, and kept only in the vault, only when a retention period for transcripts is configured.
 */

import type { EngineCost, EngineKind, EngineUse, OutsideEngine } from './engines.ts';

interface Base<T extends string, B> {
  readonly type: T;
  /** Our id of the call (uuid), null for events of the gateway itself. */
  readonly callId: string | null;
  readonly body: B;
  readonly content?: Readonly<Record<string, string>>;
  /** Whom an event of the vault is about: the random id of a call's subject. Set by audit/ only. */
  readonly subjectId?: string;
}

/** Milliseconds from the caller's last speech sample to ... ; null when the stage did not run. */
export interface Waterfall {
  /** ... the moment when the turn was committed. */
  readonly waitMs: number;
  /** Duration of each stage. */
  readonly sttQueueMs: number | null;
  readonly sttMs: number | null;
  readonly dialogueMs: number | null;
  readonly ttsMs: number | null;
  /** From the clip's release to its first RTP sample. */
  readonly playoutMs: number | null;
  /** ... our first sample in RTP: caller's last sample to agent's first, from the audio time line. */
  readonly perceivedMs: number | null;
  /** ... the first sample of an opener, where one bridged the wait. */
  readonly bridgedMs?: number;
  /** The wait that the evidence asked for; `waitMs` is longer when the words were not there yet. */
  readonly chosenWaitMs?: number;
  /** hit: the reply was held when the turn was committed; late: it was on its way; miss: nothing of use was prepared; off: not tried. */
  readonly speculation?: 'hit' | 'late' | 'miss' | 'off';
  /** What the caller waited for: the endpoint, or the stage that was not ready in time. */
  readonly late?: 'wait' | 'stt' | 'dialogue' | 'tts' | 'playout';
}

export type CallEvent =
  | Base<
      'gateway.started',
      { version: string; config: string; flows: Readonly<Record<string, string>>; stt: string; vad: string; tts: string; pbx: string }
    >
  | Base<'gateway.draining', { openCalls: number }>
  | Base<'gateway.stopped', { reason: string }>
  | Base<'gateway.heartbeat', { openCalls: number }>
  | Base<'pbx.link', { state: 'up' | 'down'; attempt: number; version: string }>
  | Base<'engine.state', { engine: 'stt' | 'tts' | 'llm' | 'vad'; state: 'up' | 'down'; why: string; name?: string }>
  /** Before the first byte, one for each engine that may get something of this call outside: to whom and why that is lawful. */
  | Base<'engine.external', OutsideEngine>
  /** A language model worked for the call. */
  | Base<'engine.used', { kind: EngineKind; outcome: string; use: EngineUse }>
  /** What happens to new calls, and what is saved on in open ones. `value` and `limit`: milliseconds, or calls. */
  | Base<
      'capacity.changed',
      {
        action: 'admit' | 'degrade' | 'people';
        savings: readonly string[];
        reasons: readonly { readonly why: string; readonly value: number; readonly limit: number }[];
        openCalls: number;
      }
    >
  /** Before it counts: calls from here on get other flows or versions; running calls keep theirs. `version` null: as the files are. */
  | Base<'flow.changed', { flow: string; act: 'reload' | 'activate' | 'rollback'; version: string | null; percent: number | null }>
  | Base<'call.incoming', { pbxId: string; flow: string; flowVersion: string; to: string }>
  /** Given back to the dialplan, or refused, without a word of ours. */
  | Base<'call.declined', { pbxId: string; outcome: string }>
  | Base<'call.answered', { setupMs: number; codecIn: string; codecOut: string }>
  /** After a crash: the call goes on, with `turns` turns in its memory; 0: from the beginning. `awayMs`: since its last sign on disk. */
  | Base<'call.recovered', { pbxId: string; flow: string; flowVersion: string; turns: number; awayMs: number }>
  | Base<'notice.started', { prompt: string; language: string; wordingSha256: string }>
  | Base<
      'notice.completed',
      { prompt: string; language: string; wordingSha256: string; sentMs: number; interrupted: boolean; engines?: readonly EngineUse[] }
    >
  /**
   * What the caller said to being recorded or remembered. On disk before anything follows; `wording`: the question that was put, '' when a
   * flow decided without one (`not-asked`).
   */
  | Base<
      'consent',
      {
        purpose: 'recording' | 'memory';
        result: 'granted' | 'refused' | 'withdrawn';
        how: 'voice' | 'keys' | 'silence' | 'unclear' | 'declined-to-answer' | 'not-asked';
        language: string;
        wordingVersion: string;
        wordingSha256: string;
        /** Caller samples (16 kHz) so far. */
        atSample: number;
      }
    >
  /** Before the first sample is captured. The recording is a subject of its own in the vault: its key goes with it. */
  | Base<'recording.started', { recording: string; rateHz: number; channels: 2; fromSample: number }>
  | Base<'recording.paused', { recording: string; why: 'secure' | 'asked' }>
  | Base<'recording.resumed', { recording: string }>
  /** A piece of the file: its place, its length in samples of each channel, how many of them are silence because a number was said. */
  | Base<'recording.chunk', { recording: string; chunk: number; samples: number; silenced: number; sha256: string }>
  /** The process died while it recorded: so much is on disk; `sha256` is of the file up to its last whole piece. */
  | Base<'recording.broken', { recording: string; why: 'crash'; chunks: number; samples: number; sha256: string }>
  | Base<'recording.stopped', { recording: string; why: string; chunks: number; samples: number; silenced: number }>
  /** Before key and file are destroyed. */
  | Base<'recording.shredded', { recording: string; why: string; chunks: number }>
  /** The caller gave a secret: which slot, by which way, how many digits; never which. */
  | Base<'secret.given', { slot: string; how: 'keys' | 'voice'; digits: number; accepted: boolean }>
  | Base<'step.entered', { step: string; reason: string }>
  | Base<
      'agent.said',
      {
        prompt: string;
        kind: string;
        wordingSha256: string;
        sentMs: number;
        interrupted: boolean;
        words?: number;
        heardWords?: number;
        engines?: readonly EngineUse[];
      }
    >
  | Base<
      'caller.said',
      {
        turn: number;
        words: number;
        confidence: number;
        fromSample: number;
        toSample: number;
        waitMs: number;
        engines?: readonly EngineUse[];
      }
    >
  | Base<'caller.keyed', { turn: number; digits: number }>
  /** The turn before this was taken back: the caller was not done. What the log says of it since `caller.said` does not count. */
  | Base<'turn.retracted', { turn: number; heardMs: number; cutoff: 'none' | 'soft' | 'hard' }>
  | Base<'caller.silent', { silentMs: number }>
  | Base<'caller.interrupted', { sentMs: number }>
  | Base<'slot.filled', { slot: string; corrected: boolean }>
  /** A router's choice: by which rule or model, on what evidence (names and numbers, no words). */
  | Base<
      'route.chosen',
      {
        step: string;
        choice: string;
        by: 'rule' | 'model' | 'default';
        evidence: string;
        /** What holds from here on; null for what stays as it was. */
        chosen?: Readonly<Record<'language' | 'persona' | 'model' | 'risk', string | null>>;
      }
    >
  /** The caller is understood and answered in this language from here on. */
  | Base<'language.changed', { language: string }>
  /** Something was kept from being said or done: what, and by which rule. */
  | Base<'act.refused', { what: string; rule: string }>
  /** Before a tool is called; its arguments are content. */
  | Base<
      'tool.requested',
      { id: string; tool: string; effect: 'read' | 'write' | 'irreversible'; approval: string | null; idempotencyKey: string }
    >
  /** `mayHaveHappened`: an act whose answer was lost. `cost`: in the operator's currency, from the tool's definition. */
  | Base<
      'tool.answered',
      { id: string; tool: string; ok: boolean; reason: string | null; mayHaveHappened: boolean; ms: number; cost: number }
    >
  | Base<'approval.requested', { id: string; tool: string; timeoutMs: number }>
  /** Before a desk is called to be asked. */
  | Base<'approval.ringing', { id: string; tool: string; desk: string }>
  /** Before a colleague's decision counts: where it was made. Who made it, and a correction, is content. */
  | Base<'approval.given', { id: string; tool: string; decision: 'approved' | 'denied'; via: 'console' | 'phone'; corrected: boolean }>
  | Base<'approval.decided', { id: string; tool: string; decision: 'approved' | 'denied' | 'timeout'; ms: number }>
  /**
   * A thought of a committed turn; `calls`: tools that it asked for. `model`: the one that the flow chose, null for the usual one;
   * `engine`: the one that answered, `cost` by the price in the configuration; null where nobody did, or no price is given.
   */
  | Base<
      'model.answered',
      {
        id: string;
        ms: number;
        answered: boolean;
        tokens: number;
        calls: number;
        model: string | null;
        engine: string | null;
        cost: EngineCost | null;
      }
    >
  /** Knowledge was asked; which passage an answer is taken from, by id and hash of its text. No words. */
  | Base<
      'knowledge.searched',
      { collection: string; found: boolean; passage: string | null; passageSha256: string | null; score: number; candidates: number }
    >
  /**
   * What later calls of this contact may know of this one; words and values are content, under a subject of their own. `agreed`: when the
   * contact said so; null where the basis asks for no consent.
   */
  | Base<'memory.kept', { outcome: string; values: number; slots: number; basis: string; agreed: 'now' | 'earlier' | null }>
  /** Before a correction goes to the review folder as files of their own subject: words of the call are in them. */
  | Base<'review.written', { files: number }>
  /** A caller left something for people; what it says is content, under a subject of its own, which is the item's id. `due`: a day. */
  | Base<'inbox.received', { kind: string; due: string | null; fields: number }>
  /** Before somebody is told that there is an item: its id and kind, no more. */
  | Base<'inbox.told', { kind: string; why: 'received' | 'due' }>
  /** Somebody has dealt with it; who, and what came of it, is content. */
  | Base<'inbox.done', { kind: string }>
  | Base<'turn.latency', { turn: number; waterfall: Waterfall }>
  | Base<'turn.failed', { turn: number; engine: 'stt' | 'tts' | 'dialogue'; code: string }>
  | Base<'transfer.requested', { desk: string }>
  | Base<'transfer.failed', { desk: string; code: string }>
  | Base<
      'call.ended',
      { outcome: string; reason: string; durationMs: number; turns: number; packetsReceived: number; packetsSent: number; dropped: number }
    >
  /** Connections that this process wanted and that the configuration does not name: refused, in the last ten seconds. */
  | Base<'egress.refused', { host: string; port: number; transport: 'tcp' | 'udp'; refused: number }>
  | Base<'clock.step', { stepMs: number }>
  | Base<'spool.full', { bytes: number }>
  /** After a crash: bytes of the last, never acknowledged write that were dropped, and damaged places that were skipped. */
  | Base<'spool.recovered', { segments: number; events: number; tornBytes: number; damaged: number }>
  /** Written before the deletion. Excuses missing payloads of the subject up to `throughUs`, never later ones. */
  | Base<'subject.erased', { request: string; reason: string; throughUs: number }>
  /** A legal hold was set or lifted. */
  | Base<'subject.held', { request: string; held: boolean }>
  /** `for`: the person himself, legal claims (with their `reference`), or work. */
  | Base<'subject.exported', { request: string; calls: number; payloads: number; for?: 'person' | 'claims' | 'work'; reference?: string }>
  /** A person asked to be left to people (Art. 18, 21), or took that back. Written before it takes effect. */
  | Base<'subject.restricted', { request: string; restricted: boolean }>
  /** The person's correction stands beside what it corrects; its text is content. */
  | Base<'subject.corrected', { request: string }>
  /** Somebody read content through Parley. */
  | Base<'content.read', { request: string; purpose: string; payloads: number }>
  /** Content was not read: its use is restricted (GDPR 18), or it is gone. */
  | Base<'content.refused', { request: string; purpose: string; why: 'restricted' | 'erased' }>
  /** Written before a month of the chain is dropped: how each of its streams ended. */
  | Base<'retention.dropped', { month: string; streams: readonly { stream: string; lastSeq: number; lastHash: string }[] }>
  /** Written before content past its retention is deleted: whose. Excuses their missing payloads up to `throughUs`. */
  | Base<'retention.expired', { throughUs: number; subjects: readonly string[] }>
  /** Files whose time is over: written before they go. */
  | Base<'retention.swept', { data: 'replay' | 'recording' | 'memory' | 'cost'; removed: number }>
  /** The last entry under the old signing key; both are named as in signed notes. */
  | Base<'key.rotated', { old: string; new: string }>
  /** The PBX's own records against `call.ended`. */
  | Base<'cdr.reconciled', { records: number; matched: number; missing: number; unended: number }>;

export type CallEventType = CallEvent['type'];
