/** Language models without a server: clauses, prompts, answers that are data, clean text, tool calls in pieces. */
import fc from 'fast-check';
import { test } from 'tap';
import { z } from 'zod';
import type { ChatDelta, ChatMessage, ToolSpec } from '../../src/contracts/index.ts';
import { cleanText, TextCleaner } from '../../src/dialogue/llm/clean-text.ts';
import {
  askStructured,
  beginClauses,
  buildPrompt,
  checkerOf,
  CLAUSE_WORDS,
  endClauses,
  isSpoken,
  jsonSchemaOf,
  ManualTime,
  pushClauses,
} from '../../src/dialogue/llm/index.ts';
import { PROMPT_LIMITS, ScriptedModel, scriptedReply, stableTools, warmPrompt, type ScriptedStep } from '../../src/dialogue/llm/index.ts';
import { ThoughtFilter } from '../../src/dialogue/llm/thoughts.ts';
import { ToolCallAssembler } from '../../src/dialogue/llm/tool-calls.ts';

function cut(pieces: readonly string[], language = 'en'): string[] {
  let state = beginClauses(language);
  const chunks: string[] = [];
  for (const piece of pieces) {
    const [next, ready] = pushClauses(state, piece);
    state = next;
    chunks.push(...ready);
  }
  return [...chunks, ...endClauses(state)];
}
/** Cuts a text at random places. */
function fragments(text: string, sizes: readonly number[]): string[] {
  const parts: string[] = [];
  let at = 0;
  for (let i = 0; at < text.length; i++) parts.push(text.slice(at, (at += 1 + (sizes[i % Math.max(1, sizes.length)] ?? 3))));
  return parts;
}

test('clauses: where the voice may begin, and where sentences end', (t) => {
  const cases: [string, string, string[]][] = [
    [
      'en',
      'Certainly, I can do that. What day suits you? Friday is free!',
      ['Certainly,', ' I can do that.', ' What day suits you?', ' Friday is free!'],
    ],
    ['en', 'I can check that for you and then call you back.', ['I can check that for you', ' and then call you back.']],
    ['en', 'Yes and no. That depends.', ['Yes and no.', ' That depends.']],
    [
      'en',
      'Dr. Smith is in, e.g. on Monday at 10.30 a.m. in room 3.5 of St. Mary. Fine.',
      ['Dr. Smith is in,', ' e.g. on Monday at 10.30 a.m. in room 3.5 of St. Mary.', ' Fine.'],
    ],
    ['en', 'The total is 1,250.50 euros; that is all.', ['The total is 1,250.50 euros;', ' that is all.']],
    ['en', 'Your number is 1, 2, 3, 4 and 5, is it?', ['Your number is 1, 2, 3, 4 and 5,', ' is it?']],
    [
      'en',
      'Write to anna.smith@mail.example.com. We answer at https://example.com/a.b?c=d, always.',
      ['Write to anna.smith@mail.example.com.', ' We answer at https://example.com/a.b?c=d, always.'],
    ],
    ['en', 'At 10:30: the doctor.', ['At 10:30:', ' the doctor.']],
    ['en', 'We have two hundred and five rooms.', ['We have two hundred and five rooms.']],
    ['en', '"Really?" she said. "Yes..." Then silence.', ['"Really?', '" she said.', ' "Yes..."', ' Then silence.']],
    ['en', 'One line\nand another', ['One line\n', 'and another']],
    [
      'de',
      'Am 3. Mai um 14.30 Uhr, z. B. bei Frau Dr. Meier. Passt das?',
      ['Am 3. Mai um 14.30 Uhr,', ' z. B. bei Frau Dr. Meier.', ' Passt das?'],
    ],
    ['de', 'Ich sehe gerne für Sie nach und melde mich gleich.', ['Ich sehe gerne für Sie nach', ' und melde mich gleich.']],
    ['de', 'Das kostet 3,50 Euro bzw. 4 Euro. Gut.', ['Das kostet 3,50 Euro bzw. 4 Euro.', ' Gut.']],
    ['fr', 'Bien sûr, M. Durand est là. Ça va ? Oui !', ['Bien sûr,', ' M. Durand est là.', ' Ça va ?', ' Oui !']],
    ['fr', 'Nous avons encore soixante et onze places et demie.', ['Nous avons encore soixante et onze places', ' et demie.']],
    ['es', '¿Qué día le viene bien? El Sr. López está aquí.', ['¿Qué día le viene bien?', ' El Sr. López está aquí.']],
    ['es', 'Tenemos libres hoy unas treinta y dos mesas.', ['Tenemos libres hoy unas treinta y dos mesas.']],
    ['xx', 'Certainly, fine.', ['Certainly,', ' fine.']],
    ['en', '您好。请讲！', ['您好。', '请讲！']],
    ['en', '', []],
    ['en', ' \n ', [' \n ']],
  ];
  for (const [language, text, chunks] of cases) t.same(cut([text], language), chunks, text);
  t.end();
});

test('clauses: the first chunk does not wait for more than it needs', (t) => {
  t.same(pushClauses(beginClauses('en'), 'Certainly,')[1], ['Certainly,']);
  t.same(pushClauses(beginClauses('en'), 'Sure!')[1], ['Sure!']);
  t.same(pushClauses(beginClauses('en'), 'It is 3,')[1], [], 'a number may go on');
  t.same(pushClauses(beginClauses('en'), 'I will look that up and ')[1], ['I will look that up']);
  t.end();
});

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom(
        'Dr.',
        'z. B.',
        '3,50',
        '10:30',
        'a@b.co',
        'and',
        'und',
        'yes',
        'no',
        ',',
        '.',
        '?',
        '\n',
        ' ',
        '…',
        '"',
        'word',
        'Été',
        '😀',
        '1,',
      ),
      { maxLength: 60 },
    )
    .map((list) => list.join(' ')),
);

test('clauses: all chunks together are the input, however it came', (t) => {
  fc.assert(
    fc.property(anyText, fc.array(fc.nat(6), { maxLength: 20 }), fc.constantFrom('en', 'de', 'fr', 'es'), (text, sizes, language) => {
      const chunks = cut(fragments(text, sizes), language);
      return (
        chunks.join('') === text &&
        JSON.stringify(chunks) === JSON.stringify(cut([text], language)) &&
        chunks.slice(0, -1).every((chunk) => isSpoken(chunk) || chunk.length > 500)
      );
    }),
    { numRuns: 500 },
  );
  t.pass();
  t.end();
});

test('clauses: never inside a number, time, abbreviation or address', (t) => {
  const solid = [
    ...['3.50', '1,250.00', '10:30', '10.30', '0171-555.01', '1, 2, 3', 'anna.smith@mail.example.com', 'www.example.com/a?b=c', 'U.S. law'],
    ...['Dr. Smith', 'e.g. this', '5 p.m. on', 'J. R. Smith'],
  ];
  const german = ['3. Mai', 'z. B. hier', 'Dr. Meier', '3,50', '14.30', 'ca. 5', 'd. h. nie', 'Nr. 7'];
  const word = fc.constantFrom('we', 'open', 'and', 'then', 'table', 'Friday', 'yes,', 'so.', 'und', 'wir', 'Now');
  for (const [language, list] of [
    ['en', solid],
    ['de', german],
  ] as const) {
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 9 }),
        fc.constantFrom(...list),
        fc.array(word, { minLength: 1, maxLength: 9 }),
        fc.array(fc.nat(5)),
        (before, token, after, sizes) => {
          const text = [...before, token, ...after].join(' ');
          const start = before.join(' ').length + (before.length > 0 ? 1 : 0);
          let at = 0;
          for (const chunk of cut(fragments(text, sizes), language).slice(0, -1)) {
            at += chunk.length;
            if (at > start && at < start + token.length) return false;
          }
          return true;
        },
      ),
      { numRuns: 400 },
    );
  }
  t.pass();
  t.end();
});

test('clauses: bounded, whatever comes', (t) => {
  for (const text of ['x'.repeat(10_000), 'word '.repeat(2000), ' '.repeat(3000), '😀'.repeat(3000), '1 2 '.repeat(2000)]) {
    const chunks = cut([text]);
    t.equal(chunks.join(''), text);
    t.ok(Math.max(...chunks.map((chunk) => chunk.length)) <= 601);
    t.ok(
      chunks.every((chunk) => cleanText(chunk) === chunk),
      'no character is cut in two',
    );
  }
  t.same(Object.keys(CLAUSE_WORDS), ['en', 'de', 'fr', 'es']);
  t.end();
});

const message = fc.oneof(
  fc.record({ role: fc.constant('user' as const), text: fc.string({ maxLength: 40 }) }),
  fc.record({ role: fc.constant('assistant' as const), text: fc.string({ maxLength: 40 }) }),
);
const persona = 'You are the receptionist of the clinic at the lake.';

test('prompt: the beginning is the same bytes in every turn', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(message, message), { minLength: 1, maxLength: 12 }),
      fc.array(fc.string(), { maxLength: 3 }),
      fc.array(fc.string(), { maxLength: 3 }),
      (turns, nowA, nowB) => {
        let history: ChatMessage[] = [];
        let earlier: string | null = null;
        for (const [i, [user, reply]] of turns.entries()) {
          const words: ChatMessage = { role: 'user', text: user.text };
          const volatile = i % 2 === 0 ? nowA : nowB;
          const bytes = JSON.stringify(buildPrompt({ persona, tools: [], history, turn: [words], volatile }).messages);
          if (earlier !== null && !bytes.startsWith(earlier)) return false;
          const warm = JSON.stringify(warmPrompt({ persona, tools: [], history }).messages);
          if (!bytes.startsWith(warm.slice(0, warm.lastIndexOf('"')))) return false;
          // Everything but the end of the list, and the volatile lines.
          const plain = JSON.stringify(buildPrompt({ persona, tools: [], history, turn: [words], volatile: [] }).messages);
          earlier = plain.slice(0, plain.lastIndexOf('"'));
          history = [...history, words, { role: 'assistant', text: reply.text }];
        }
        return true;
      },
    ),
  );
  t.pass();
  t.end();
});

test('prompt: what changes comes last, with the words, and stays in front of the tool steps', (t) => {
  const prompt = buildPrompt({
    persona,
    tools: [],
    history: [{ role: 'assistant', text: 'Hello.' }],
    turn: [
      { role: 'user', text: 'Am I \u0000booked?' },
      { role: 'assistant', text: '', toolCalls: [{ id: '1', name: 'find', arguments: {} }] },
      { role: 'tool', callId: '1', name: 'find', text: 'no' },
    ],
    volatile: ['Friday, 10:30', 'caller is known'],
  });
  t.same(
    prompt.messages.map((entry) => entry.role),
    ['system', 'assistant', 'user', 'assistant', 'tool'],
  );
  t.equal(prompt.messages[2]?.text, 'Am I booked?\n\n[now]\nFriday, 10:30\ncaller is known');
  t.same(buildPrompt({ persona, tools: [], history: [], turn: [], volatile: [] }).messages.at(-1), { role: 'user', text: '' });
  t.end();
});

test('prompt: a long history loses its oldest turns in blocks, and rests in between', (t) => {
  const limits = { ...PROMPT_LIMITS, historyChars: 1000 };
  const history: ChatMessage[] = [];
  const drops: number[] = [];
  for (let turn = 0; turn < 200; turn++) {
    history.push(
      { role: 'user', text: 'u'.repeat(20) },
      { role: 'assistant', text: '', toolCalls: [{ id: 'x', name: 'f', arguments: {} }] },
      { role: 'tool', callId: 'x', name: 'f', text: 'r'.repeat(20) },
    );
    const { messages, dropped } = buildPrompt({ persona, tools: [], history, turn: [], volatile: [] }, limits);
    drops.push(dropped);
    t.ok(messages.length === 2 || messages[1]?.role === 'user' || dropped === 0);
    t.ok(JSON.stringify(messages.slice(1)).length < 5000);
  }
  t.ok(new Set(drops).size < 40, `${new Set(drops).size} changes of the beginning in 200 turns`);
  t.equal(
    buildPrompt({ persona, tools: [], history: [], turn: [{ role: 'user', text: 'x'.repeat(10_000) }], volatile: [] }).messages[1]?.text
      .length,
    4000,
  );
  t.end();
});

test('prompt: the same tools are the same bytes in any order', (t) => {
  const tool = fc.record({
    name: fc.stringMatching(/^[a-z]{1,6}$/),
    description: fc.string(),
    parameters: fc.dictionary(fc.string(), fc.jsonValue()),
  });
  fc.assert(
    fc.property(fc.uniqueArray(tool, { selector: (entry) => entry.name, maxLength: 5 }), fc.nat(), (tools, shift) => {
      const turned: ToolSpec[] = [...tools.slice(shift % (tools.length + 1)), ...tools.slice(0, shift % (tools.length + 1))].map(
        (entry) => ({
          parameters: Object.fromEntries(Object.entries(entry.parameters).reverse()),
          name: entry.name,
          description: entry.description,
        }),
      );
      return JSON.stringify(stableTools(tools)) === JSON.stringify(stableTools(turned));
    }),
  );
  t.pass();
  t.end();
});

test('structured: taken, repaired, or the fallback', async (t) => {
  const schema = z.object({ intent: z.enum(['book', 'cancel', 'other']), guests: z.number().int().min(1).max(20) });
  const fallback = { intent: 'other' as const, guests: 1 };
  const play = (...answers: (string | ScriptedStep[])[]): ScriptedModel =>
    new ScriptedModel({
      timers: new ManualTime(),
      script: (_, seen) => (typeof answers[seen] === 'string' ? scriptedReply(answers[seen]) : (answers[seen] ?? [])),
    });
  const request = { callKey: 'c', messages: [{ role: 'user' as const, text: 'A table for four' }] };

  const good = play('{"intent":"book","guests":4}');
  t.match(await askStructured(good, request, { schema, fallback }), {
    value: { intent: 'book', guests: 4 },
    source: 'model',
    failure: null,
  });
  t.same(good.requests[0]?.request.format, jsonSchemaOf(schema));

  t.match(await askStructured(play('Here it is:\n```json\n{"intent":"book","guests":4}\n```'), request, { schema, fallback }), {
    source: 'model',
  });

  const repaired = play('{"intent":"BOOK","guests":99}', '{"intent":"book","guests":9}');
  const answer = await askStructured(repaired, request, { schema, fallback });
  t.match(answer, {
    value: { guests: 9 },
    source: 'repaired',
    problems: ['intent: must be one of book, cancel, other', 'guests: must be at most 20'],
  });
  t.equal(repaired.requests[1]?.request.messages.length, 3);
  t.equal(answer.usage.promptTokens, 20, 'both tries count');

  const stubborn = play('I would rather talk', 'still talking', '{"intent":"book","guests":4}');
  t.match(await askStructured(stubborn, request, { schema, fallback }), {
    value: fallback,
    source: 'fallback',
    failure: 'LLM_BAD_OUTPUT',
    problems: ['(whole answer): not JSON'],
  });
  t.equal(stubborn.requests.length, 2, 'one repair try only');

  t.match(await askStructured(play([{ fail: 'LLM_TIMEOUT' }]), request, { schema, fallback }), {
    source: 'fallback',
    failure: 'LLM_TIMEOUT',
  });
  t.match(await askStructured(play('x'.repeat(200)), request, { schema, fallback, maxChars: 100 }), {
    source: 'fallback',
    failure: 'LLM_BAD_OUTPUT',
  });
  t.notMatch(
    JSON.stringify((await askStructured(play('{"intent":"my number is 0171","guests":1}', 'no'), request, { schema, fallback })).problems),
    /0171/,
  );

  const aborted = { ...request, signal: AbortSignal.abort(new Error('hung up')) };
  await t.rejects(askStructured(play('{}'), aborted, { schema, fallback }), { message: 'hung up' });

  const fromFile = checkerOf({
    type: 'object',
    properties: { day: { type: 'string', enum: ['Friday'] } },
    required: ['day'],
    additionalProperties: false,
  });
  t.equal(fromFile.safeParse({ day: 'Friday' }).success, true);
  t.equal(fromFile.safeParse({ day: 'Monday' }).success, false);
  t.equal(fromFile.safeParse({ day: 'Friday', more: 1 }).success, false);
  t.throws(() => checkerOf({ type: 'nothing known' }), { code: 'LLM_REFUSED' });
});

test('text of a model: well-formed and without control characters, however it is cut', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(fc.nat(3)), (text, sizes) => {
      const cleaner = new TextCleaner();
      const pieces = fragments(text, sizes).map((piece) => cleaner.push(piece));
      const joined = pieces.join('') + cleaner.end();
      return joined === cleanText(text) && pieces.every((piece) => cleanText(piece) === piece);
    }),
  );
  const cleaner = new TextCleaner();
  t.equal(cleaner.push('\ud83d'), '');
  t.equal(cleaner.end(), '\ufffd', 'half a character that never became whole');
  t.equal(cleanText('a\u0000b\r\n\tc\u001b[0m\u202e\ud800!'), 'ab\n\tc[0m\ufffd!');
  t.end();
});

test('thoughts of a model: only a block at the beginning, and nothing else is lost', (t) => {
  const filter = (pieces: readonly string[]): string => {
    const thoughts = new ThoughtFilter();
    return pieces.map((piece) => thoughts.push(piece)).join('') + thoughts.end();
  };
  t.equal(filter(['<think>a</think> Yes']), 'Yes');
  t.equal(filter([' \n<think>a', 'b</think>', '\n\n', 'Yes, <think>']), 'Yes, <think>');
  t.equal(filter(['<th', 'e end>']), '<the end>', 'not a thought after all');
  t.equal(filter(['<thin']), '<thin');
  t.equal(filter(['<think>for ever']), '');
  t.equal(filter(['Yes <think>no</think>']), 'Yes <think>no</think>');
  const piece = fc.constantFrom('<think>', '</think>', '<thi', 'nk>', ' ', 'word', '<', '\n');
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.array(fc.nat(4)),
      (pieces, sizes) => filter(fragments(pieces.join(''), sizes)) === filter([pieces.join('')]),
    ),
  );
  t.end();
});

test('tool calls in pieces', (t) => {
  const kinds = (deltas: readonly ChatDelta[]): string[] => deltas.map((delta) => delta.t);
  const two = new ToolCallAssembler('here');
  t.same(kinds(two.add({ index: 0, id: 'a', name: 'book' })), []);
  t.same(kinds(two.add({ index: 0, arguments: '{"day"' })), ['tool-start']);
  t.same(kinds(two.add({ index: 1, id: 'b', name: 'find', arguments: '' })), []);
  t.match(two.add({ index: 0, arguments: ':1}' }), [{ t: 'tool-start', name: 'find' }]);
  t.match(two.finish(), [
    { t: 'tool-call', call: { id: 'a', name: 'book', arguments: { day: 1 } } },
    { t: 'tool-call', call: { id: 'b', name: 'find', arguments: {} } },
  ]);

  const unnumbered = new ToolCallAssembler('here');
  unnumbered.add({ id: 'a', name: 'one', arguments: '{}' });
  unnumbered.add({ id: 'b', name: 'two', arguments: '{' });
  unnumbered.add({ arguments: '}' });
  t.same(
    unnumbered.finish().flatMap((delta) => (delta.t === 'tool-call' ? [delta.call.name] : [])),
    ['one', 'two'],
  );

  for (const piece of [
    { name: 'f', arguments: '[1]' },
    { name: 'f', arguments: '{"a":' },
    { name: 'f', arguments: 'null' },
    { id: 'x', arguments: '{}' },
  ]) {
    const broken = new ToolCallAssembler('here');
    broken.add(piece);
    t.throws(() => broken.finish(), { code: 'LLM_BAD_OUTPUT' }, JSON.stringify(piece));
  }
  const flood = new ToolCallAssembler('here');
  t.throws(
    () => {
      for (let index = 0; index < 100; index++) flood.add({ index, name: 'f' });
    },
    { code: 'LLM_BAD_OUTPUT' },
  );
  const long = new ToolCallAssembler('here');
  t.throws(
    () => {
      for (;;) long.add({ index: 0, name: '', arguments: 'x'.repeat(10_000) });
    },
    { code: 'LLM_BAD_OUTPUT' },
  );
  t.end();
});
