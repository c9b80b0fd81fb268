/**
 * `npm run demo`: a private Asterisk, an embedded Postgres and Parley as an admin would run them (`parley serve`, a process of its own);
 * a synthetic caller phones in over SIP; then the proof: what was heard, how long it took, and that the log is whole.
 */
import { join } from 'node:path';
import { formatReport } from '../audit/index.ts';
import type { Config } from '../config/index.ts';
import { PROJECT_ROOT } from '../parts/index.ts';
import { verifyConfigured } from './audit-verify.ts';
import { placeWatchedCall, printResult, type WatchedCall } from './call.ts';
import { BOOKING, type Conversation } from './conversation.ts';
import { EXIT } from './exit.ts';
import { startServiceProcess, writePrivateConfig } from './private-service.ts';
import { type Style, terminalStyle } from './show.ts';

const FOLDER = join(PROJECT_ROOT, '.runtime/demo');
const EXTENSION = '700';

export async function demo(): Promise<number> {
  const style = terminalStyle(process.stdout.isTTY);
  const took = stopwatch();
  console.log(style.bold('Parley demo') + style.dim('  everything on this machine, on loopback\n'));
  const config = await writePrivateConfig(FOLDER);
  const service = await startServiceProcess(config, FOLDER);
  took.lap('starting Asterisk, Postgres, the recogniser and Parley');
  try {
    console.log(style.dim(`Calling extension ${EXTENSION} over SIP. The recogniser is a test fixture of about 100 words.\n`));
    const record = join(FOLDER, 'call.wav');
    const watched = await placeWatchedCall(config, { extension: EXTENSION, script: BOOKING.script, record, style });
    took.lap('the call');
    if (watched === null) return EXIT.failed;
    printResult(watched.judgement, style);
    await service.stop();
    took.lap('draining and stopping');
    const whole = await verifyLog(config, style);
    took.lap('verifying the log');
    const failures = [...failuresOf(watched, BOOKING), ...(whole ? [] : ['the log has findings'])];
    console.log(`\n${style.dim(`Recording: ${record}   Took: ${took.text()}`)}`);
    for (const failure of failures) console.log(style.red(`FAILED: ${failure}`));
    if (failures.length === 0) console.log(style.green('The caller heard what the flow meant, in order and whole, and was understood.'));
    return failures.length === 0 ? EXIT.ok : EXIT.failed;
  } finally {
    await service.stop();
  }
}

/** Why the call is not what it should be; empty when all is well. */
function failuresOf({ report, judgement, events }: WatchedCall, meant: Conversation): string[] {
  const failures: string[] = [];
  if (!judgement.heardWhole) failures.push('the caller did not hear every prompt whole and in order');
  if (judgement.misunderstood.length > 0) failures.push('the flow understood something else than what was said');
  if (!report.finished) failures.push(`the conversation did not come to its end: ${report.problem ?? report.end}`);
  const slots = new Map<string, string>();
  for (const event of events) if (event.type === 'slot.filled') slots.set(event.body.slot, event.content?.['value'] ?? '');
  for (const [slot, value] of Object.entries(meant.slots)) {
    const got = slots.get(slot) ?? 'nothing';
    if (got !== value && weekday(got) !== value) failures.push(`slot ${slot}: the caller meant ${value}, the flow has ${got}`);
  }
  const ended = events.find((event) => event.type === 'call.ended');
  if (ended?.body.outcome !== meant.outcome) failures.push(`outcome ${ended?.body.outcome ?? 'unknown'}, expected ${meant.outcome}`);
  return failures;
}

function weekday(isoDay: string): string {
  const at = new Date(`${isoDay}T12:00:00Z`);
  return Number.isNaN(at.getTime()) ? '' : at.toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' }).toLowerCase();
}

async function verifyLog(config: Config, style: Style): Promise<boolean> {
  const report = await verifyConfigured(config);
  console.log(`\n${style.bold('The log')}`);
  for (const line of formatReport(report).trimEnd().split('\n')) console.log(`  ${line}`);
  return report.findings.length === 0;
}

function stopwatch(): { lap(what: string): void; text(): string } {
  const laps: string[] = [];
  let sinceMs = performance.now();
  return {
    lap(what) {
      laps.push(`${what} ${((performance.now() - sinceMs) / 1000).toFixed(1)} s`);
      sinceMs = performance.now();
    },
    text: () => laps.join(', '),
  };
}
