/** The conversations of a simulation as one HTML page that needs nothing else. */
import type { Conversation } from './conversation.ts';

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}' +
  'summary{cursor:pointer;padding:.3rem 0}p{margin:.2rem 0}.caller{margin-left:4rem;color:#0b4f8a}.act{color:#666;font-size:.85em}' +
  '.wrong{color:#a40000;font-weight:600}.failed summary{color:#a40000}@media(prefers-color-scheme:dark){body{background:#15181c;color:#e6e6e6}.caller{color:#8cc4ff}.act{color:#9a9a9a}.wrong,.failed summary{color:#ff8a8a}}';

export function htmlReport(flow: string, version: string, conversations: readonly Conversation[]): string {
  const failed = conversations.filter(({ problems }) => problems.length > 0).length;
  const parts = conversations.map(({ name, lines, problems, turns, cost, ended }) => {
    const rows = lines.map(({ who, text }) => `<p class="${who}">${escape(text)}</p>`).join('\n');
    const isFailed = problems.length > 0;
    return `<details class="${isFailed ? 'failed' : 'passed'}"${isFailed ? ' open' : ''}><summary>${isFailed ? 'failed' : 'passed'}: ${escape(name)} (${turns} turns, cost ${cost}, ${escape(ended)})</summary>\n${rows}\n</details>`;
  });
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>${escape(flow)}</title><style>${STYLE}</style></head><body>\n<h1>${escape(flow)}</h1>\n<p>Version ${escape(version.slice(0, 12))}; ${conversations.length} conversations, ${failed} failed.</p>\n${parts.join('\n')}\n</body></html>\n`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
