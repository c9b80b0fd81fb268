/** Text of a model, made safe to speak: well-formed Unicode, no control characters. */

// Line feed and tab stay; the rest of C0, DEL, C1 and the invisible direction marks go: a synthesiser or a terminal would act on them.

const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

export function cleanText(text: string): string {
  return text.replace(CONTROL, '').replace(LONE, '\ufffd');
}

/** Joins what a server cut in the middle of a character: `push` answers what is whole, `end` what never was. */
export class TextCleaner {
  #half = '';

  push(piece: string): string {
    const text = this.#half + piece;
    const last = text.charCodeAt(text.length - 1);
    const open = last >= 0xd800 && last <= 0xdbff;
    this.#half = open ? text.slice(-1) : '';
    return cleanText(open ? text.slice(0, -1) : text);
  }

  end(): string {
    const rest = cleanText(this.#half);
    this.#half = '';
    return rest;
  }
}
