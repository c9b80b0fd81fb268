/** The conversations of a simulation as one HTML page that needs nothing else. */
import type { Conversation } from './conversation.ts';
import type { Line } from './line.ts';

const STYLE = `
:root{--ink:#1c2430;--soft:#5d6876;--line:#e1e5ea;--page:#f5f6f8;--card:#fff;--agent:#eef1f5;--caller:#1f5fae;--caller-ink:#fff;--good:#1d7a46;--good-soft:#e3f4ea;--bad:#b3261e;--bad-soft:#fce8e6;--bar:#8db3e2}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#9aa5b3;--line:#2c333d;--page:#12161b;--card:#1a2027;--agent:#262e38;--caller:#2f6fc4;--caller-ink:#fff;--good:#7ed3a2;--good-soft:#173325;--bad:#ff9a92;--bad-soft:#3a1c1a;--bar:#3f6fae}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;margin:0;color:var(--ink);background:var(--page)}
main{max-width:56rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.6rem;margin:0 0 .25rem}
.sub{color:var(--soft);margin:0 0 1.5rem}
code{font:.9em ui-monospace,Menlo,Consolas,monospace}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;margin-bottom:1.75rem}
.tile{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.75rem 1rem}
.tile b{display:block;font-size:1.5rem;line-height:1.2;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:.85rem}
.tile.good b{color:var(--good)}.tile.bad b{color:var(--bad)}
details{background:var(--card);border:1px solid var(--line);border-radius:.6rem;margin:.6rem 0;overflow:hidden}
details.failed{border-color:var(--bad)}
summary{cursor:pointer;list-style:none;display:flex;flex-wrap:wrap;gap:.35rem .9rem;align-items:baseline;padding:.7rem 1rem}
summary::-webkit-details-marker{display:none}
summary:focus-visible{outline:3px solid var(--bar);outline-offset:-3px}
.badge{font-size:.78rem;font-weight:600;padding:.1rem .5rem;border-radius:1rem;background:var(--good-soft);color:var(--good)}
.failed .badge{background:var(--bad-soft);color:var(--bad)}
.name{font-weight:600;flex:1 1 14rem}
.facts{color:var(--soft);font-size:.85rem;font-variant-numeric:tabular-nums}
.talk{border-top:1px solid var(--line);padding:1rem;display:flex;flex-direction:column;gap:.45rem}
.row{display:flex;gap:.6rem;align-items:baseline}
.row time{flex:0 0 3.6rem;text-align:right;color:var(--soft);font-size:.75rem;font-variant-numeric:tabular-nums}
.row p{margin:0;padding:.4rem .75rem;border-radius:.9rem;max-width:36rem;overflow-wrap:anywhere}
.agent p{background:var(--agent);border-bottom-left-radius:.2rem}
.caller{flex-direction:row-reverse}.caller p{background:var(--caller);color:var(--caller-ink);border-bottom-right-radius:.2rem}
.caller time{text-align:left}
.act p{padding:0 .75rem;color:var(--soft);font-size:.85rem;border-left:2px solid var(--line);border-radius:0}
.wrong p{background:var(--bad-soft);color:var(--bad);font-weight:600;border-radius:.4rem}
.slots{border-top:1px solid var(--line);padding:.6rem 1rem;color:var(--soft);font-size:.85rem}
@media print{details{break-inside:avoid}body{background:#fff}}`;

const NAMES: Readonly<Record<Line['who'], string>> = {
  agent: 'Parley says',
  caller: 'The caller says',
  act: 'Note',
  wrong: 'Not as expected',
};

export function htmlReport(flow: string, version: string, conversations: readonly Conversation[]): string {
  const failed = conversations.filter(({ problems }) => problems.length > 0);
  const most = (of: (one: Conversation) => number): number => Math.max(0, ...conversations.map(of));
  const tiles = [
    tile(String(conversations.length - failed.length), `of ${conversations.length} as expected`, failed.length === 0 ? 'good' : ''),
    tile(String(failed.length), 'not as expected', failed.length === 0 ? '' : 'bad'),
    tile(seconds(most(({ waitMs }) => waitMs)), 'longest wait for a word'),
    tile(seconds(most(({ wayOnMs }) => wayOnMs)), 'longest wait for a way on'),
    ...(most(({ cost }) => cost) === 0 ? [] : [tile(money(most(({ cost }) => cost)), 'dearest call')]),
  ];
  // What failed comes first: that is what somebody opens the page for.
  const sorted = [...failed, ...conversations.filter(({ problems }) => problems.length === 0)];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escape(flow)}: ${failed.length === 0 ? 'as expected' : `${failed.length} failed`}</title><style>${STYLE}</style></head><body><main>
<h1>${escape(flow)}</h1>
<p class="sub">Simulated conversations of version <code>${escape(version.slice(0, 12))}</code></p>
<div class="tiles">${tiles.join('')}</div>
${sorted.map(conversation).join('\n')}
</main></body></html>
`;
}

function conversation({ name, lines, problems, turns, cost, waitMs, ended, slots }: Conversation): string {
  const isFailed = problems.length > 0;
  const waited = waitMs === 0 ? [] : [`waited ${seconds(waitMs)}`];
  const facts = [turns === 1 ? '1 turn' : `${turns} turns`, ...waited, ...(cost === 0 ? [] : [`cost ${money(cost)}`]), `ended: ${ended}`];
  const filled = Object.entries(slots).map(([slot, value]) => `${escape(slot)} <b>${escape(value)}</b>`);
  return `<details class="${isFailed ? 'failed' : 'passed'}"${isFailed ? ' open' : ''}><summary><span class="badge">${isFailed ? 'failed' : 'passed'}</span><span class="name">${escape(name)}</span><span class="facts">${escape(facts.join(' · '))}</span></summary>
<div class="talk">${lines.map((line, i) => row(line, lines[i - 1]?.atMs ?? 0)).join('\n')}</div>${filled.length === 0 ? '' : `<div class="slots">${filled.join(' · ')}</div>`}
</details>`;
}

/** Only what is waited for takes time here: a moment is told where it is another one. */
function row({ who, text, atMs }: Line, beforeMs: number): string {
  return `<div class="row ${who}"><time>${atMs === beforeMs ? '' : `${(atMs / 1000).toFixed(1)} s`}</time><p aria-label="${NAMES[who]}: ${escape(text)}">${escape(text)}</p></div>`;
}

function tile(value: string, label: string, kind = ''): string {
  return `<div class="tile ${kind}"><b>${escape(value)}</b><span>${escape(label)}</span></div>`;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const money = (cost: number): string => (cost === 0 ? '0' : cost.toFixed(3).replace(/0+$/, ''));

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
