/** Every file outside the database that holds something of a person: what is done with it when he is erased, or may not be used. */
import { type CallFiles, shelveCallFiles, sweepCallFiles, sweepRecordings } from '../audit/index.ts';
import type { Config } from '../config/index.ts';
import type { Store } from '../store/index.ts';
import { openCallFiles } from './log.ts';

function turnFiles({ replay }: Config): readonly CallFiles[] {
  return replay.directory === null ? [] : [{ folder: replay.directory, kind: 'content', suffixes: ['.turns.jsonl'] }];
}

function reviewFiles({ approvals }: Config): readonly CallFiles[] {
  const { reviewFolder } = approvals;
  return reviewFolder === null ? [] : [{ folder: reviewFolder, kind: 'review', suffixes: ['.test.yaml', '.knowledge.md'] }];
}

/** After an erasure, and by the clock: recordings, turn records, suggestions and what a crash left of open calls. Errors: STORE_DOWN. */
export async function sweepErased(config: Config, store: Store): Promise<void> {
  await sweepRecordings(store, config.privacy.recordings);
  const open: CallFiles = { folder: openCallFiles(config).folder, kind: 'content', suffixes: ['.call', '.call.new'] };
  for (const files of [...turnFiles(config), ...reviewFiles(config), open]) await sweepCallFiles(store, files);
}

/** What authors could read meanwhile is put aside; turn records are refused when they are read. Errors: STORE_DOWN. */
export async function shelveRestricted(config: Config, store: Store): Promise<void> {
  for (const files of reviewFiles(config)) await shelveCallFiles(store, files);
}
