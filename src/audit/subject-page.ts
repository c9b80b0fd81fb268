import type { VCon } from './vcon.ts';

/** For <, >, & and quotes: what people said is text, whatever it looks like. */
const escape = (text: string): string => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
const time = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;

interface Entry {
  readonly at: string;
  readonly type: string;
  readonly content?: Readonly<Record<string, string>>;
}

/** Everything that is kept about a person as one page to read or print (GDPR 12(1), 15): no script, nothing loaded from elsewhere. */
export function subjectPage(vcons: readonly VCon[], request: string, madeAt: Date): string {
  const count = vcons.length === 1 ? 'One call is' : `${vcons.length} calls are`;
  const intro =
    vcons.length === 0
      ? 'Nothing is kept.'
      : `${count} kept. Made ${time(madeAt.toISOString())}; this reading is in the log as request ${request}.`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>What is kept about you</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>body{font:16px/1.5 sans-serif;max-width:46em;margin:2em auto;padding:0 1em}td{padding:.1em 1em .1em 0;vertical-align:top}.who{white-space:nowrap;color:#555}</style>
</head><body><h1>What is kept about you</h1><p>${escape(intro)}</p>
${vcons.map(callSection).join('\n')}
</body></html>
`;
}

function callSection(vcon: VCon): string {
  const [caller] = vcon.parties;
  const entries = vcon.attachments.flatMap((attachment) => (Array.isArray(attachment.body) ? (attachment.body as readonly Entry[]) : []));
  const start = entries[0]?.at ?? vcon.created_at;
  const who = [caller?.name, caller?.tel?.replace('tel:', '')].filter((each) => each !== undefined).join(', ');
  const corrections = entries
    .filter(({ type }) => type === 'subject.corrected')
    .map(({ at, content }) => `${time(at)}: ${content?.['correction'] ?? ''}`);
  const said = vcon.dialog.filter(({ body }) => body !== undefined);
  return `<h2>Call of ${escape(time(start))}</h2>
<p>${escape(who === '' ? 'number withheld' : who)}. ${entries.length} entries in the log; they are in the file that goes with this page (vCon).</p>
${corrections.length === 0 ? '' : `<p><strong>Your corrections</strong></p><ul>${corrections.map((text) => `<li>${escape(text)}</li>`).join('')}</ul>`}
<table>${said.map(({ start: at, parties, body }) => `<tr><td class="who">${escape(time(at).slice(11))}</td><td class="who">${parties[0] === 0 ? 'you' : 'the assistant'}</td><td>${escape(body ?? '')}</td></tr>`).join('')}</table>`;
}
