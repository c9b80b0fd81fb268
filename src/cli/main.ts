/** The command line. One file per command; each returns its exit code. */
import { Command } from 'commander';
import { version } from '../parts/index.ts';
import { auditReplayErasures, auditRotateKey } from './audit-keys.ts';
import { auditReconcile, auditVerify } from './audit-verify.ts';
import { call, type CallCommand } from './call.ts';
import { check } from './check.ts';
import { demo } from './demo.ts';
import { doctor } from './doctor.ts';
import { command } from './exit.ts';
import { flows, type FlowsOptions } from './flows.ts';
import { inboxDone, inboxList, inboxShow, type InboxCommand } from './inbox.ts';
import { knowledgeIndex, knowledgeSearch, knowledgeStatus } from './knowledge.ts';
import { modelsList, modelsPrune, modelsPull, modelsVerify } from './models.ts';
import { replayCall } from './replay.ts';
import { report } from './report.ts';
import { serve } from './serve.ts';
import { simulate, type SimulateOptions } from './simulate.ts';
import { subjectConsents, subjectCorrect, subjectErase, subjectExport, subjectHold, subjectRestrict } from './subject.ts';
import { watch } from './watch.ts';

const CONFIG = ['-c, --config <file>', 'configuration file', 'config/parley.yaml'] as const;

const program = new Command('parley').description('Phone calls answered by local AI.').version(version());

program
  .command('serve')
  .description('serve calls until SIGTERM, then drain')
  .option(...CONFIG)
  .action(command(serve));

program
  .command('check')
  .description('check the configuration and all flows; starts nothing')
  .option(...CONFIG)
  .action(command(check));

program
  .command('call')
  .description('place one test call into the running service, with a synthetic caller')
  .option(...CONFIG)
  .option('-e, --extension <extension>', 'extension to dial', '700')
  .option('-s, --script <file>', 'JSON file with what the caller does; default: a booking')
  .option('--sip <host:port>', "where the PBX takes SIP calls; default: the private Asterisk's port")
  .option('--record <file>', 'stereo WAV: caller left, heard right')
  .option('--watch', 'dial nobody: show the calls of the service as they happen, each turn with its waterfall')
  .action(command((options: CallCommand & { watch?: boolean }) => (options.watch === true ? watch(options) : call(options))));

program
  .command('replay <call>')
  .description('run the turn events of a recorded call through the present turn engine; say where decisions differ')
  .option(...CONFIG)
  .option('--set <key=value...>', 'change turn options: --set waitMs=500')
  .action(command(replayCall));

program
  .command('simulate <flow>')
  .description("run a flow's own tests as text conversations; tools and models are scripted")
  .option('-d, --directory <folder>', 'folder of the flows', 'config/flows')
  .option('-f, --facts <folder>', 'folder of the knowledge files', 'config/facts')
  .option('-r, --report <file>', 'all conversations as one HTML page')
  .option('-t, --times <count>', 'hold every conversation so often; synthetic callers differ from one to the next', Number)
  .option('-c, --config <file>', 'its language model plays the callers that have a goal')
  .option('--audio', 'phone a private service with real audio: the tests marked audio: true')
  .action(command((flow: string, options: Omit<SimulateOptions, 'flow'>) => simulate({ flow, ...options })));

const versions = program.command('flows').description('the flow files and their versions');
const VERSION_ACTS = [
  ['list', 'every flow and its versions'],
  ['diff <flow>', 'what has changed in the file since the version that is active'],
  ['activate <flow>', "give calls the file's version, and keep it"],
  ['rollback <flow>', 'take a trial back, or else the last activation'],
] as const;
for (const [usage, about] of VERSION_ACTS) {
  const [action] = usage.split(' ') as [FlowsOptions['action']];
  const one = versions
    .command(usage)
    .description(about)
    .option('-d, --directory <folder>', 'folder of the flows', 'config/flows')
    .option('-f, --facts <folder>', 'folder of the knowledge files', 'config/facts');
  const changes = action === 'activate' || action === 'rollback';
  if (changes) one.option('-c, --config <file>', 'configuration of a running service, which takes the change at once');
  if (action === 'activate') one.option('-p, --percent <share>', 'only for this share of the calls, chosen by their ids', Number);
  type Given = Omit<FlowsOptions, 'action' | 'flow'>;
  if (action === 'list') one.action(command((options: Given) => flows({ action, ...options })));
  else one.action(command((flow: string, options: Given) => flows({ action, flow, ...options })));
}

program
  .command('doctor')
  .description('check our side and the PBX for twelve dangerous settings, then measure the engines against their budgets')
  .option(...CONFIG)
  .option('--asterisk <folder>', 'configuration folder of the PBX, as /etc/asterisk')
  .option('--pbx-version <version>', "what 'asterisk -V' says")
  .option('--no-measure', 'the checks only')
  .action(command(doctor));

const audit = program.command('audit').description('the log');
audit
  .command('verify')
  .description('check the chain in the database; needs no running gateway')
  .option(...CONFIG)
  .option('--db <url>', "check this database instead of the configuration's")
  .option('--dump <file>', 'check a pg_dump (plain or gzip) instead: needs no database at all')
  .option('--anchors <file...>', 'files of checkpoints that were kept outside the database')
  .option('--pubkey <file...>', "public keys of the gateways; default: this gateway's")
  .action(command(auditVerify));

audit
  .command('rotate-key')
  .description('a new signing key, signed for by the old one; the gateway must be stopped')
  .option(...CONFIG)
  .action(command(auditRotateKey));
audit
  .command('replay-erasures')
  .description(
    'after a restore from a backup: erase again whoever had been erased; the gateway must be stopped, and does it itself at its start',
  )
  .option(...CONFIG)
  .action(command(auditReplayErasures));
audit
  .command('reconcile <cdr>')
  .description("compare the log with Asterisk's call records (Master.csv)")
  .option(...CONFIG)
  .action(command(auditReconcile));

const subject = program.command('subject').description('the rights of a person, by phone number');
subject
  .command('export <number>')
  .description('everything that is kept about a person, one vCon per call; the reading is logged')
  .option(...CONFIG)
  .option('-o, --out <file>', 'write to a file of mode 0600 instead of stdout')
  .option('-p, --page <file>', 'also as a page to read or print (HTML)')
  .option('--audio <folder>', 'recordings as WAV files')
  .option('--for <reader>', 'person (default), claims, or work, which is refused while the number is restricted')
  .option('--reference <text>', 'file number of the claim; no names')
  .action(command(subjectExport));
subject
  .command('erase <number>')
  .description('erase what is kept about a person; prints the signed certificate')
  .option(...CONFIG)
  .option('-r, --reason <text>', 'goes to the log; no names')
  .action(command(subjectErase));
subject
  .command('correct <number> <text>')
  .description('write a correction beside what is kept; nothing is overwritten')
  .option(...CONFIG)
  .option('--call <id>', 'the call that it is about; default: the newest')
  .action(command(subjectCorrect));
subject
  .command('restrict <number>')
  .description('from now on calls of this number go to people; prints the signed certificate')
  .option(...CONFIG)
  .option('--lift', 'take it back')
  .action(command(subjectRestrict));
subject
  .command('consents <number>')
  .description('what this person was told and agreed to; the reading is logged')
  .option(...CONFIG)
  .action(command(subjectConsents));
subject
  .command('hold <number>')
  .description('legal hold: nothing of this person is erased until it is lifted')
  .option(...CONFIG)
  .option('--reference <text>', 'file number of the order; no names')
  .option('--lift', 'end the hold')
  .action(command(subjectHold));

const inbox = program.command('inbox').description('what callers left for people: messages, wishes to be called back, notes');
inbox
  .command('list')
  .description('open items, without what they say')
  .option(...CONFIG)
  .option('--all', 'also those that are done')
  .option('--json', 'one JSON object for each item')
  .action(command(inboxList));
inbox
  .command('show [item]')
  .description('what an item says, or all that are open; the reading is logged')
  .option(...CONFIG)
  .option('--json', 'one JSON object for each item')
  .action(command((item: string | undefined, options: InboxCommand) => inboxShow(item, options)));
inbox
  .command('done <item>')
  .description('somebody has dealt with it')
  .option(...CONFIG)
  .option('--by <who>', 'kept encrypted, with the item')
  .option('--note <text>', 'what came of it; kept encrypted, with the item')
  .action(command(inboxDone));

program
  .command('report <kind>')
  .description('ropa, dpia, breach, consents, egress, cost or outcome: a document from the live configuration and the log')
  .option(...CONFIG)
  .option('--from <date>', 'first moment: 2026-11-20 or 2026-11-20T09:00:00Z; default: the first entry')
  .option('--to <date>', 'the moment after the last; default: the last entry')
  .option('--date <date>', 'date of the report; default: now')
  .option('--flow <name>', 'only calls of this flow, for cost and outcome')
  .option('--json', 'JSON instead of Markdown')
  .option('-o, --out <file>', 'write to a file of mode 0600 instead of stdout')
  .action(command(report));

const knowledge = program.command('knowledge').description('documents that answers are taken from');
knowledge
  .command('index [collection]')
  .description('read new and changed documents; deleted ones vanish')
  .option(...CONFIG)
  .option('--empty', 'accept a folder that has no documents any more')
  .action(
    command((collection: string | undefined, options: { config: string; empty?: boolean }) => knowledgeIndex({ ...options, collection })),
  );
knowledge
  .command('search <question>')
  .description('what a caller with this question would be told, with sources and scores')
  .option(...CONFIG)
  .option('--collection <name>', 'default: the first one of the configuration')
  .option('--language <code>', 'default: that of the collection')
  .option('--json', 'one JSON object for each passage')
  .action(command(knowledgeSearch));
knowledge
  .command('status')
  .description('documents, passages, what is too old and what cannot be read')
  .option(...CONFIG)
  .option('--json', 'one JSON object for each collection')
  .action(command(knowledgeStatus));

const models = program.command('models').description('the files that the engines need');
models.command('list').description('what can be had, what is there').action(command(modelsList));
models
  .command('pull <name>')
  .description('download a model, resumable, verified before it is used')
  .option('--accept-licence', 'take a model although its licence forbids some uses')
  .action(command(modelsPull));
models.command('verify [name]').description('hash every byte of one model, or of all that are there').action(command(modelsVerify));
models.command('prune').description('remove broken-off downloads and damaged files').action(command(modelsPrune));

program
  .command('demo')
  .description('one whole call: private Asterisk, synthetic caller, live transcript, verification')
  .action(command(demo));

await program.parseAsync();
