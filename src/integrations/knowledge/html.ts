/** HTML by the parser of the standard (parse5). Menus, scripts and forms are not said; nothing is loaded and nothing runs. */
import { type DefaultTreeAdapterTypes, parse } from 'parse5';
import { isoDay, oneLine, type Reading, type Section } from './pieces.ts';
import { UnreadableDocument } from './problem.ts';

type Node = DefaultTreeAdapterTypes.ChildNode;
type Element = DefaultTreeAdapterTypes.Element;

const SILENT = new Set(
  [
    'script',
    'style',
    'noscript',
    'template',
    'nav',
    'header',
    'footer',
    'aside',
    'form',
    'svg',
    'iframe',
    'object',
    'button',
    'select',
    'canvas',
  ].concat(['audio', 'video', 'head']),
);
const BLOCKS = new Set(
  [
    'p',
    'div',
    'li',
    'ul',
    'ol',
    'dl',
    'dt',
    'dd',
    'table',
    'tr',
    'section',
    'article',
    'main',
    'blockquote',
    'pre',
    'br',
    'hr',
    'body',
  ].concat(['figure', 'figcaption', 'details', 'summary', 'address', 'html']),
);
/** Deeper than any document that a person wrote. */
const MAX_DEPTH = 500;

const isElement = (node: Node): node is Element => 'tagName' in node;
const attribute = (element: Element, name: string): string => element.attrs.find((one) => one.name === name)?.value ?? '';

/** The encoding that the beginning of a file declares; null when it says none. */
export function declaredEncoding(bytes: Buffer): string | null {
  const head = bytes.subarray(0, 2048).toString('latin1');
  return /<meta[^>]{0,200}?charset\s*=\s*["']?([A-Za-z0-9_-]{1,40})/i.exec(head)?.[1] ?? null;
}

export function readHtml(text: string): Reading {
  const walk = new Walk();
  const document = parse(text);
  // A stack of our own: depth is the document's choice, and ours is not endless.
  const stack: { node: Node; depth: number; leaving: boolean }[] = document.childNodes.map((node) => ({ node, depth: 0, leaving: false }));
  stack.reverse();
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const { node, depth, leaving } = at;
    if (depth > MAX_DEPTH) throw new UnreadableDocument(`is nested deeper than ${MAX_DEPTH} elements`);
    if (leaving) {
      if (isElement(node)) walk.leave(node);
      continue;
    }
    if (node.nodeName === '#text' && 'value' in node) walk.text(node.value);
    if (!isElement(node)) continue;
    walk.head(node);
    if (SILENT.has(node.tagName) && node.tagName !== 'head') continue;
    walk.enter(node);
    stack.push({ node, depth, leaving: true });
    for (let i = node.childNodes.length - 1; i >= 0; i--) {
      const child = node.childNodes[i];
      if (child !== undefined) stack.push({ node: child, depth: depth + 1, leaving: false });
    }
  }
  return walk.end();
}

class Walk {
  readonly #sections: { heading: string; paragraphs: string[] }[] = [];
  readonly #path: string[] = [];
  #open: { heading: string; paragraphs: string[] } = { heading: '', paragraphs: [] };
  #paragraph = '';
  #inHead = false;
  #language: string | null = null;
  #date: string | null = null;

  head(element: Element): void {
    if (element.tagName === 'html') this.#language = /^([a-z]{2})\b/i.exec(attribute(element, 'lang'))?.[1]?.toLowerCase() ?? null;
    const name = element.tagName === 'meta' ? attribute(element, 'name') || attribute(element, 'property') : '';
    if (/^(date|last-modified|dcterms\.modified|article:modified_time)$/i.test(name)) this.#date ??= isoDay(attribute(element, 'content'));
  }

  enter(element: Element): void {
    if (element.tagName === 'head') this.#inHead = true;
    if (/^h[1-6]$/.test(element.tagName) || BLOCKS.has(element.tagName)) this.#close();
    if (element.tagName === 'td' || element.tagName === 'th') this.#paragraph += this.#paragraph === '' ? '' : ', ';
  }

  text(value: string): void {
    if (!this.#inHead) this.#paragraph += value;
  }

  leave(element: Element): void {
    const { tagName } = element;
    if (tagName === 'head') this.#inHead = false;
    if (/^h[1-6]$/.test(tagName)) this.#begin(Number(tagName.slice(1)));
    else if (tagName === 'li' || tagName === 'tr' || tagName === 'dd') this.#close('.');
    else if (BLOCKS.has(tagName)) this.#close();
  }

  end(): Reading {
    this.#close();
    if (this.#open.paragraphs.length > 0) this.#sections.push(this.#open);
    const sections: readonly Section[] = this.#sections;
    return { sections, date: this.#date, language: this.#language, maxAgeDays: null };
  }

  #begin(level: number): void {
    const heading = oneLine(this.#paragraph);
    this.#paragraph = '';
    if (this.#open.paragraphs.length > 0) this.#sections.push(this.#open);
    this.#path.length = Math.min(this.#path.length, level - 1);
    while (this.#path.length < level - 1) this.#path.push('');
    this.#path.push(heading);
    this.#open = { heading: this.#path.filter((part) => part !== '').join(' / '), paragraphs: [] };
  }

  #close(end = ''): void {
    const text = oneLine(this.#paragraph);
    this.#paragraph = '';
    if (text !== '') this.#open.paragraphs.push(/[.!?:;]$/.test(text) ? text : `${text}${end}`);
  }
}
