import fc from 'fast-check';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';

import { GraphBuilder } from '../../scripts/test-voice/builder.ts';
import { mediumVoice } from '../../scripts/test-voice/medium.ts';
import { phonemeIds, smallVoice } from '../../scripts/test-voice/small.ts';
import { wordStarts } from '../../src/tts/piper/align.ts';
import { toPcm } from '../../src/tts/piper/desk.ts';
import { makeHead } from '../../src/tts/piper/onnx/build.ts';
import { mustPass } from '../../src/tts/piper/onnx/graph.ts';
import { FLOAT, INT64, makeValue, readModel, writeModel, type Graph } from '../../src/tts/piper/onnx/model.ts';
import { reachOf } from '../../src/tts/piper/onnx/reach.ts';
import { splitVoice } from '../../src/tts/piper/onnx/split.ts';
import { bytesField, encode, intField, readFields, readInts, textField, WireError } from '../../src/tts/piper/onnx/wire.ts';
import { readAloud } from '../../src/tts/piper/reading/index.ts';
import { chunkFrames, NARROWEST, nextWindow } from '../../src/tts/piper/schedule.ts';
import { clausesOf, phonemesOf, SentenceMaker, type Ipa } from '../../src/tts/piper/sentences.ts';
import { LeadTrimmer } from '../../src/tts/piper/trimmer.ts';
import { parseVoiceConfig } from '../../src/tts/piper/voice-config.ts';
import { loadVoiceFile } from '../../src/tts/piper/voice-file.ts';
import { parseWav } from '../../src/tts/piper/wav.ts';

const small = smallVoice();
const model = readModel(small.model);

void test('protobuf fields', async (t) => {
  await t.test('what is written is read again', (t) => {
    t.doesNotThrow(() =>
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.uint8Array())),
          (fields) => {
            const bytes = encode(fields.flatMap(([number, int, body]) => [intField(number, int), bytesField(number, body)]));
            const read = readFields(bytes);
            return fields.every(([number, int, body], index) => {
              const [first, second] = [read[2 * index], read[2 * index + 1]];
              return first?.number === number && first.int === int && second?.wire === 2 && Buffer.compare(second.body, body) === 0;
            });
          },
        ),
      ),
    );
    t.end();
  });
  await t.test('packed and single numbers are the same list', (t) => {
    const [packed] = readFields(encode(bytesField(1, Uint8Array.of(1, 0xac, 0x02))));
    t.same(readInts(packed!), [1n, 300n]);
    t.end();
  });
  await t.test('any bytes are fields or a WireError, nothing else', (t) => {
    t.doesNotThrow(() => fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => isWireErrorOrFine(() => readFields(bytes)))));
    t.end();
  });
  await t.test('lengths and numbers that lie', (t) => {
    t.throws(() => readFields(Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f)), { message: /longer than the file/ });
    t.throws(() => readFields(Uint8Array.of(0x08, 0x80)), { message: /ends inside a number/ });
    t.throws(() => readFields(Uint8Array.of(0x08, ...new Uint8Array(11).fill(0x80))), { message: /ten bytes/ });
    t.throws(() => readFields(Uint8Array.of(0x0b)), { message: /wire type 3/ });
    t.throws(() => readFields(Uint8Array.of(0x00)), { message: /field number/ });
    t.end();
  });
});

void test('ONNX models', async (t) => {
  await t.test('a voice is read and written back to the same bytes of graph', (t) => {
    const again = readModel(writeModel(model, model.graph));
    t.same(
      again.graph.nodes.map((node) => [node.name, node.op, node.inputs, node.outputs]),
      model.graph.nodes.map((node) => [node.name, node.op, node.inputs, node.outputs]),
    );
    t.same(
      again.graph.initializers.map((tensor) => [tensor.name, tensor.dims, tensor.type]),
      model.graph.initializers.map((tensor) => [tensor.name, tensor.dims, tensor.type]),
    );
    t.same(again.opset, 15);
    t.end();
  });
  await t.test('damaged bytes are an Error, never a hang or a crash', (t) => {
    t.doesNotThrow(() =>
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.nat({ max: small.model.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 }),
          fc.nat({ max: small.model.length }),
          (changes, length) => {
            const bytes = small.model.slice(0, length);
            for (const [at, value] of changes) if (at < length) bytes[at] = value;
            return isWireErrorOrFine(() => void splitVoice(readModel(bytes)));
          },
        ),
        { numRuns: 200 },
      ),
    );
    t.end();
  });
  await t.test('every truncation is found', (t) => {
    for (let length = 1; length < small.model.length; length += 997) t.throws(() => readModel(small.model.slice(0, length)), WireError);
    t.end();
  });
  await t.test('weights outside the file and sparse weights are refused', (t) => {
    const tensor = encode([textField(8, 'w'), intField(14, 1)]);
    t.throws(() => readModel(encode([intField(1, 8), bytesField(7, bytesField(5, tensor))])), { message: /outside the file/ });
    t.throws(() => readModel(encode([intField(1, 8), bytesField(7, bytesField(15, new Uint8Array(0)))])), { message: /sparse/ });
    t.throws(() => readModel(encode([intField(1, 8)])), { message: /no graph/ });
    t.end();
  });
  await t.test('names used inside a subgraph count as inputs of its node', (t) => {
    const inner = encode([
      bytesField(1, [textField(1, 'outer'), textField(1, 'local'), textField(2, 'made'), textField(4, 'Add')]),
      bytesField(5, textField(8, 'local')),
    ]);
    const node = encode([
      textField(1, 'condition'),
      textField(2, 'out'),
      textField(4, 'If'),
      bytesField(5, [textField(1, 'then_branch'), bytesField(6, inner)]),
    ]);
    const read = readModel(encode([intField(1, 8), bytesField(7, bytesField(1, node))]));
    t.same(read.graph.nodes[0]?.implicit, ['outer']);
    t.end();
  });
});

void test('cutting a voice', async (t) => {
  const { voice } = splitVoice(model) as Extract<ReturnType<typeof splitVoice>, { ok: true }>;
  await t.test('the test voice is cut in three, where a real one is', (t) => {
    t.match(voice, {
      durations: '/Ceil_output_0',
      noFlow: null,
      vocoder: { input: '/Mul_7_output_0', output: 'output', perFrame: 256, mask: null, speaker: false },
    });
    t.match(voice.flow, { input: voice.latent, output: '/Mul_7_output_0', perFrame: 1, speaker: false });
    t.ok(voice.flow?.mask);
    t.end();
  });
  await t.test('each part holds only what it needs', (t) => {
    const names = (bytes: Uint8Array): string[] => readModel(bytes).graph.initializers.map((tensor) => tensor.name);
    t.notOk(names(voice.text).some((name) => name.startsWith('dec.') || name.startsWith('flow.')));
    t.ok(names(voice.flow!.bytes).every((name) => name.startsWith('flow.')));
    t.ok(names(voice.vocoder.bytes).every((name) => name.startsWith('dec.') || name.startsWith('/')));
    t.end();
  });
  await t.test('margins are exact: kernels, dilations and strides of the test voice', (t) => {
    // conv_pre 3 + smooth 3 frames, one frame of overlap, 15 + 3 samples: 7.07 frames.
    t.equal(voice.vocoder.marginFrames, 9);
    // two convolutions of width 5.
    t.equal(voice.flow?.marginFrames, 5);
    t.end();
  });
  await t.test('true size of Piper medium, with speakers', (t) => {
    const medium = splitVoice(readModel(mediumVoice({ speakers: 3 })));
    t.match(medium, { ok: true, voice: { vocoder: { perFrame: 256, marginFrames: 13, speaker: true }, flow: { marginFrames: 33 } } });
    t.end();
  });
  await t.test('a voice of another shape says why', (t) => {
    t.match(splitVoice(tiny((b) => b.named('Relu', ['input'], 'output'))), { ok: false, why: /no latent/ });
    t.match(splitVoice(tiny((b) => b.conv('dec.pre', b.op('', 'Relu', ['input']), 4, 1, 3))), { ok: false, why: /not masked/ });
    const wholeTime = (b: GraphBuilder): string => b.op('', 'Softmax', [b.conv('dec.pre', b.op('', 'Mul', ['input', 'input']), 4, 1, 3)]);
    t.match(splitVoice(tiny(wholeTime)), { ok: false, why: /Softmax.*not known to be local/ });
    t.match(splitVoice({ ...model, graph: { ...model.graph, outputs: [] } }), { ok: false, why: /no output/ });
    t.match(splitVoice({ ...model, graph: { ...model.graph, nodes: [...model.graph.nodes].reverse() } }), {
      ok: false,
      why: /before it is made/,
    });
    t.end();
  });
  await t.test('what is not local in time is refused by name', (t) => {
    const reach = (op: string, attributes: Record<string, number | number[] | string>, dims = [1, 4, 3]): unknown => {
      const builder = new GraphBuilder(1);
      const weight = builder.noise('w', dims, 1);
      const out = builder.op('', op, ['z', weight], attributes);
      return reachOf(graphOf(builder, out), ['z'], out);
    };
    t.same(reach('Conv', { kernel_shape: [3], pads: [1, 1] }), { perFrame: 1, marginFrames: 2 });
    t.same(reach('Conv', { kernel_shape: [3], pads: [2, 0] }), { perFrame: 1, marginFrames: 3 });
    t.same(reach('ConvTranspose', { kernel_shape: [4], strides: [2], pads: [1, 1] }), { perFrame: 2, marginFrames: 2 });
    t.throws(() => reach('Conv', { kernel_shape: [3] }), { message: /changes the number of frames/ });
    t.throws(() => reach('Conv', { kernel_shape: [3], pads: [1, 1], strides: [2] }), { message: /changes the number of frames/ });
    t.throws(() => reach('Conv', { kernel_shape: [3, 3] }, [1, 4, 3, 3]), { message: /one-dimensional/ });
    t.throws(() => reach('Conv', { auto_pad: 'SAME_UPPER' }), { message: /automatic padding/ });
    t.throws(() => reach('ConvTranspose', { kernel_shape: [3], strides: [2] }), { message: /by its stride/ });
    t.throws(() => reach('Concat', { axis: 2 }), { message: /time axis/ });
    t.throws(() => reach('ReduceMean', {}), { message: /local in time/ });
    t.end();
  });
  await t.test('dominators: what every way must pass', (t) => {
    const builder = new GraphBuilder(1);
    const [a, b] = [builder.op('', 'Relu', ['z']), builder.op('', 'Neg', ['z'])];
    const join = builder.op('', 'Add', [a, b]);
    const out = builder.op('', 'Add', [builder.op('', 'Tanh', [join]), builder.op('', 'Sin', [join])]);
    t.same(mustPass(graphOf(builder, out), ['z'], out), ['z', join, out]);
    t.same(mustPass(graphOf(builder, out), ['nothing'], out), []);
    t.end();
  });
});

void test('the schedule of chunks', async (t) => {
  await t.test('every frame once, in order, with its margin, in windows wide enough for equal sums', (t) => {
    t.doesNotThrow(() =>
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 2000 }),
          fc.integer({ min: 1, max: 60 }),
          fc.integer({ min: 1, max: 300 }),
          (total, margin, most) => {
            for (let done = 0, turns = 0; done < total; turns++) {
              const window = nextWindow(done, chunkFrames(done, most), total, margin);
              const exact =
                window.keepFrom - window.from >= Math.min(margin, window.keepFrom) &&
                window.to - window.keepTo >= Math.min(margin, total - window.keepTo);
              const wide = window.to - window.from >= Math.min(NARROWEST, total);
              if (window.keepFrom !== done || window.keepTo <= done || !exact || !wide || turns > total) return false;
              done = window.keepTo;
            }
            return true;
          },
        ),
      ),
    );
    t.end();
  });
  await t.test('the first chunk is the narrowest window', (t) => {
    t.same(nextWindow(0, chunkFrames(0, 160), 1000, 13), { from: 0, to: 65, keepFrom: 0, keepTo: 52 });
    t.end();
  });
});

void test('reading aloud', async (t) => {
  const said = (language: string, text: string): string =>
    readAloud(text, language)
      .map((token) => (token.kind === 'word' ? token.say : token.mark))
      .join(' ');
  const TABLE: Record<string, [string, string][]> = {
    en: [
      ['It costs $5.50.', 'It costs 5 dollars 50 .'],
      ['$1, €2 and 3 EUR', '1 dollar , 2 euros and 3 euros'],
      ['1,234,567 people', '1234567 people'],
      ['3.14 and -5', '3 point 1 4 and minus 5'],
      ['25% of 3 km', '25 percent of 3 kilometers'],
      ['2026-11-20', 'November 20th 20 26'],
      ['on 11/02/2005', 'on November 2nd 2005'],
      ['03/04/1905 and 1/1/1900', 'March 4th 19 oh 5 and January 1st 19 hundred'],
      ['at 14:30, 9:05 am, 3 pm, 12:00', "at 2 30 P M , 9 oh 5 A M , 3 P M , 12 o'clock"],
      ['call +49 30 123456', 'call plus 4 9 , 3 0 , 1 2 3 4 5 6'],
      ['order 123456789', 'order 1 2 3 4 5 6 7 8 9'],
      ['Dr. Smith, e.g. this', 'Doctor Smith , for example this'],
      ['No. I said no. 5', 'No . I said no . 5'],
      ['No. 5', 'number 5'],
      ['bob@example.com', 'bob at example dot com'],
      ['AT&T in the U.S. today', 'AT and T in the U S today'],
      ['the 22nd', 'the 22nd'],
      ['well – yes (no)', 'well , yes , no ,'],
      ['really?! no...', 'really ? no .'],
      ['one\ntwo', 'one two'],
      ['one\n\ntwo', 'one . two'],
      ['good \u001b[31m morning', 'good morning'],
      ['13/45/2026', '13 45 2026'],
      ['25:99', '25 : 99'],
    ],
    'en-GB': [['11/12/2026', 'December 11th 20 26']],
    de: [
      ['5,50 € und 1 €', '5 Euro 50 und 1 Euro'],
      ['1.234.567,8', '1234567 Komma 8'],
      ['am 20.11.2026 um 14:30 Uhr', 'am zwanzigsten November 2026 um 14 Uhr 30'],
      ['der 3. Mai 1998', 'der dritte Mai 1998'],
      ['vom 21. März', 'vom einundzwanzigsten März'],
      ['12.03.1998', 'zwölfter März 19 hundert 98'],
      ['z. B. 3 % ca. 5 °C', 'zum Beispiel 3 Prozent circa 5 Grad Celsius'],
      ['Ich war Nr. 3. Dann', 'Ich war Nummer 3 . Dann'],
      ['030 1234567', '0 3 0 , 1 2 3 4 5 6 7'],
    ],
    fr: [
      ['12,50 € et 1 234,5 km', '12 euros 50 et 1234 virgule 5 kilomètres'],
      ['le 1/3/2026 à 14h30', 'le premier mars 2026 à 14 heures 30'],
      ['3,14', '3 virgule 14'],
      ['le 1er et la 2e', 'le premier et la deuxième'],
      ['M. Dupont, n°5', 'Monsieur Dupont , numéro 5'],
      ['100 %', '100 pour cent'],
    ],
    es: [
      ['12,50 €', '12 euros 50'],
      ['el 1/3/2026 a las 14:30', 'el primero de marzo de 2026 a las 14 y 30'],
      ['la 2ª vez y 1.º', 'la segunda vez y primero'],
      ['¿Qué tal, Sr. Ruiz?', 'Qué tal , Señor Ruiz ?'],
      ['3,05', '3 coma 0 5'],
    ],
    ja: [['これは。テスト、です！', 'これは . テスト , です !']],
    it: [['5.50 e 3,2', '5.50 e 3,2']],
  };
  for (const [language, rows] of Object.entries(TABLE)) {
    await t.test(language, (t) => {
      for (const [text, expected] of rows) t.equal(said(language, text), expected);
      t.end();
    });
  }
  await t.test('markup, brackets, control characters and emoji are not read', (t) => {
    t.equal(said('en', 'good\u0000 [[h@l]] <voice name="x">day</voice> 😀👍🏽 \u202e{x}'), 'good h at l day x');
    t.equal(said('en', '\u0007😀 🇩🇪 ★'), '');
    t.end();
  });
  await t.test('any text: words lie in order inside it, lines hold nothing that espeak-ng takes as a command', (t) => {
    t.doesNotThrow(() =>
      fc.assert(
        fc.property(
          fc.oneof(
            fc.string({ unit: 'binary', maxLength: 300 }),
            fc.string({ unit: fc.constantFrom(...Array.from('0123456789.,:/-+$€% aB\n<[@')), maxLength: 200 }),
          ),
          fc.constantFrom('en', 'de', 'fr', 'es', 'xx'),
          (text, language) => {
            let last = 0;
            for (const token of readAloud(text, language)) {
              if (token.kind === 'stop') continue;
              if (token.from < last || token.to <= token.from || token.to > text.length) return false;
              if (/[[\]<>|\p{Cc}]/u.test(token.say) || token.say.trim() === '') return false;
              last = token.from;
            }
            return true;
          },
        ),
        { numRuns: 500 },
      ),
    );
    t.end();
  });
  await t.test('a long text without stops is cut into sentences and lines that fit', (t) => {
    for (const text of ['word '.repeat(1000), 'x'.repeat(5000), '9'.repeat(5000), 'слово '.repeat(800), 'ab, '.repeat(1000)]) {
      const sentences = clausesOf(readAloud(text, 'en'));
      const lines = sentences.flat().map((clause) => clause.words.map((word) => word.say).join(' '));
      t.ok(
        lines.every((line) => Buffer.byteLength(line) <= 900),
        'lines',
      );
      t.ok(
        sentences.every((clauses) => clauses.reduce((sum, clause) => sum + clause.words.length, 0) < 200),
        'sentences',
      );
    }
    t.end();
  });
});

void test('sentences of phoneme ids', async (t) => {
  const config = parseVoiceConfig(small.settings);
  /** Speaks each letter as itself. */
  const letters: Ipa = { phonemes: (lines) => Promise.resolve(lines.map((line) => line.toLowerCase())) };
  const sentencesOf = async (
    text: string,
    ipa: Ipa = letters,
  ): Promise<readonly { ids: readonly number[]; words: readonly { text: string; id: number }[]; skipped: number }[]> =>
    all(new SentenceMaker(config, ipa, 'en').sentences(text));
  const id = (phoneme: string): number => phonemeIds().get(phoneme)!;

  await t.test('^ _ p _ p _ … $ with the stop appended', async (t) => {
    const [sentence] = await sentencesOf('no.');
    t.same(sentence?.ids, [1, 0, id('n'), 0, id('o'), 0, id('.'), 0, 2]);
    const [comma] = await sentencesOf('a, b');
    t.same(comma?.ids, [1, 0, id('a'), 0, id(','), 0, id(' '), 0, id('b'), 0, id('.'), 0, 2]);
  });
  await t.test('language flags are dropped, letters decomposed, unknown phonemes skipped and counted', async (t) => {
    const [sentence] = await sentencesOf('x', { phonemes: (lines) => Promise.resolve(lines.map(() => '(en)aç(fr)1')) });
    t.same(sentence?.ids, [1, 0, id('a'), 0, id('c'), 0, id('\u0327'), 0, id('.'), 0, 2]);
    t.equal(sentence?.skipped, 1);
    t.same(phonemesOf('(en-us) a  b ', []), ['a', ' ', 'b']);
    t.same(phonemesOf('aɪb', ['aɪ']), ['aɪ', 'b'], 'clusters of the voice');
  });
  await t.test('each word has its place', async (t) => {
    const [sentence] = await sentencesOf('we see you');
    t.same(
      sentence?.words.map((word) => [word.text, sentence.ids[word.id]]),
      [
        ['we', id('w')],
        ['see', id('s')],
        ['you', id('y')],
      ],
    );
  });
  await t.test('espeak-ng is asked once for what it has said before', async (t) => {
    let asked = 0;
    const maker = new SentenceMaker(config, { phonemes: (lines) => ((asked += lines.length), letters.phonemes(lines)) }, 'en');
    await all(maker.sentences('good day'));
    await all(maker.sentences('good day. day good day'));
    t.equal(asked, 4, 'the line, its two words, and one new line');
  });
  await t.test('nothing to say gives no sentence', async (t) => {
    for (const text of ['', ' ', '...', '😀', '—', '<b>']) t.same(await sentencesOf(text), []);
  });
  await t.test('words that melt together or multiply are found', (t) => {
    t.same(wordStarts(Array.from('ʌvðə taɪm'), [Array.from('ʌv'), Array.from('ðə'), Array.from('taɪm')]), [0, 2, 5]);
    t.same(wordStarts(Array.from('tuː θaʊzənd naʊ'), [Array.from('tuː θaʊzənd'), Array.from('naʊ')]), [0, 12]);
    t.same(wordStarts(Array.from('a'), [[], Array.from('a'), []]), [0, 0, 0]);
    t.end();
  });
  await t.test('any words: places never go back and stay inside', (t) => {
    const phonemes = fc.array(fc.constantFrom('a', 'b', 'c', ' '), { maxLength: 12 });
    t.doesNotThrow(() =>
      fc.assert(
        fc.property(
          fc.array(fc.constantFrom('a', 'b', 'c', ' '), { minLength: 1, maxLength: 40 }),
          fc.array(phonemes, { minLength: 1, maxLength: 8 }),
          (clause, words) => {
            const starts = wordStarts(clause, words);
            return (
              starts.length === words.length && starts.every((start, index) => start >= (starts[index - 1] ?? 0) && start < clause.length)
            );
          },
        ),
      ),
    );
    t.end();
  });
});

void test('settings of a voice', (t) => {
  const good = JSON.parse(small.settings) as Record<string, unknown>;
  const broken =
    (change: Record<string, unknown>): (() => unknown) =>
    () =>
      parseVoiceConfig(JSON.stringify({ ...good, ...change }));
  t.match(parseVoiceConfig(small.settings), { rateHz: 22050, espeakVoice: 'en-us', speakers: 1, noiseScale: 0, hopSamples: 256 });
  t.throws(() => parseVoiceConfig('{'), { message: /no JSON/ });
  t.throws(() => parseVoiceConfig('[]'), { message: /must be an object/ });
  t.throws(broken({ audio: { sample_rate: 22050.5 } }), { message: /sample_rate must be a whole number/ });
  t.throws(broken({ audio: {} }), { message: /sample_rate/ });
  t.throws(broken({ espeak: { voice: '--compile=en' } }), { message: /espeak.voice/ });
  t.throws(broken({ espeak: { voice: 'en; reboot' } }), { message: /espeak.voice/ });
  t.throws(broken({ phoneme_type: 'pinyin' }), { message: /phoneme_type/ });
  t.throws(broken({ phoneme_id_map: { a: [1] } }), { message: /must hold \^/ });
  t.throws(broken({ phoneme_id_map: { ...(good['phoneme_id_map'] as object), a: [99999] } }), { message: /below num_symbols/ });
  t.throws(broken({ num_speakers: 0 }), { message: /num_speakers/ });
  t.throws(broken({ num_speakers: 2, speaker_id_map: { anna: 2 } }), { message: /speaker_id_map.anna/ });
  t.throws(broken({ inference: { length_scale: 'fast' } }), { message: /length_scale/ });
  t.end();
});

void test('the built-in test voice is what its script makes', (t) => {
  t.equal(Buffer.compare(readFileSync('models/builtin/test-voice.onnx'), small.model), 0, 'scripts/make-test-voice.ts writes it');
  t.equal(readFileSync('models/builtin/test-voice.onnx.json', 'utf8'), small.settings);
  t.end();
});

void test('files that are no voice', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-voice-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  let count = 0;
  const voice = (bytes: Uint8Array | string | null, settings: string | null = small.settings): string => {
    const path = join(folder, `${count++}.onnx`);
    if (bytes !== null) writeFileSync(path, bytes);
    if (settings !== null) writeFileSync(`${path}.json`, settings);
    return path;
  };
  const refused = (path: string, message: RegExp, sha256?: string): Promise<unknown> =>
    t.rejects(loadVoiceFile(path, sha256), { code: 'TTS_VOICE', message, place: { file: /onnx/ } });

  const loaded = await loadVoiceFile(voice(small.model));
  t.match(loaded.sha256, /^[0-9a-f]{64}$/);
  await loadVoiceFile(voice(small.model), loaded.sha256.toUpperCase());
  await refused(voice(small.model), /SHA-256 is [0-9a-f]{64}, expected 0000/, '0'.repeat(64));
  await refused(voice(small.model.slice(0, 60_000)), /no complete ONNX model/);
  await refused(voice('version https://git-lfs.github.com/spec/v1'), /Git LFS/);
  await refused(voice('<!DOCTYPE html><html>'), /web page/);
  await refused(voice('{"error": "not found"}'), /JSON/);
  await refused(voice(Uint8Array.of(0x1f, 0x8b, 8)), /compressed/);
  await refused(voice('PK\u0003\u0004'), /zip/);
  await refused(voice('GGUF....'), /does not begin like/);
  await refused(voice(''), /empty/);
  await refused(voice(null), /no such file/);
  await refused(voice(small.model, null), /no such file/);
  await refused(voice(small.model, '{}'), /num_symbols/);
  await refused(voice(small.model, JSON.stringify({ ...(JSON.parse(small.settings) as object), num_speakers: 4 })), /input sid/);
  await refused(voice(smallVoice({ speakers: 2 }).model), /wants a speaker/);
  const { graph } = model;
  await refused(
    voice(writeModel(model, { ...graph, inputs: graph.inputs.filter((value) => value.name !== 'scales') })),
    /input scales \(float\) is missing/,
  );
  await refused(voice(writeModel(model, { ...graph, outputs: [makeValue('output', INT64, [1])] })), /no float output/);
});

void test('samples', async (t) => {
  await t.test('floats become 16 bits, clipped; what is no number is an error', (t) => {
    t.same([...toPcm(Float32Array.of(0, 1, -1, 2, -3, 0.5))], [0, 32767, -32767, 32767, -32767, 16384]);
    t.throws(() => toPcm(Float32Array.of(0, NaN)), { message: /no numbers/ });
    t.end();
  });
  await t.test('leading silence is cut, marks move along, whatever the pieces', (t) => {
    t.doesNotThrow(() =>
      fc.assert(
        fc.property(
          fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 12 }),
          fc.nat({ max: 1500 }),
          (sizes, silence) => {
            const total = sizes.reduce((sum, size) => sum + size, 0);
            const all = Int16Array.from({ length: total }, (_, at) => (at < silence ? 3 : 1000 + at));
            const trimmer = new LeadTrimmer(8000);
            const out: number[] = [];
            const marks: number[] = [];
            let at = 0;
            for (const size of sizes) {
              const mark = at === 0 ? [{ text: 'x', fromChar: 0, toChar: 1, fromSample: silence }] : [];
              for (const chunk of trimmer.add(all.slice(at, at + size), mark)) {
                if (chunk.fromSample !== out.length) return false;
                out.push(...chunk.pcm);
                marks.push(...chunk.marks.map((each) => each.fromSample));
              }
              at += size;
            }
            for (const chunk of trimmer.end()) out.push(...chunk.pcm);
            const loud = [...all].filter((sample) => sample > 65);
            const kept = out.filter((sample) => sample > 65);
            const lead = out.length - kept.length;
            return kept.join() === loud.join() && lead <= 80 && (marks.length === 0 || marks[0] === lead);
          },
        ),
      ),
    );
    t.end();
  });
  await t.test('WAV answers', (t) => {
    t.same([...parseWav(wav([1, -2, 3])).pcm], [1, -2, 3]);
    t.equal(parseWav(wav([1], { rateHz: 16000 })).rateHz, 16000);
    t.same([...parseWav(wav([1, 2], { size: 0xffffffff })).pcm], [1, 2], 'a streamed header');
    t.throws(() => parseWav(wav([1, 2, 3], { size: 600 })), { message: /ends after 6 of 600/ });
    t.throws(() => parseWav(wav([1], { channels: 2 })), { message: /2 channels/ });
    t.throws(() => parseWav(wav([1], { rateHz: 100 })), { message: /samples per second/ });
    t.throws(() => parseWav(Buffer.from('<html>')), { message: /no WAV/ });
    t.throws(() => parseWav(wav([]).subarray(0, 30)), { message: /before the audio/ });
    t.doesNotThrow(() =>
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
          try {
            parseWav(Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE'), bytes]));
          } catch (error) {
            return error instanceof Error && error.message.startsWith('its ');
          }
          return true;
        }),
      ),
    );
    t.end();
  });
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function isWireErrorOrFine(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (error) {
    return error instanceof WireError;
  }
}

function graphOf(builder: GraphBuilder, output: string): Graph {
  const { nodes, initializers } = builder;
  return { name: 'g', nodes, initializers, inputs: [makeValue('z', FLOAT, [1, 4, -1])], outputs: [makeValue(output, FLOAT, null)] };
}

/** A model from one input to one output. */
function tiny(draw: (builder: GraphBuilder) => string): ReturnType<typeof readModel> {
  const builder = new GraphBuilder(1);
  const output = draw(builder);
  const graph = { ...graphOf(builder, output), inputs: [makeValue('input', FLOAT, [1, 4, -1])] };
  return readModel(writeModel(makeHead('test', 15), graph));
}

function wav(samples: readonly number[], { rateHz = 22050, channels = 1, size = samples.length * 2 } = {}): Buffer {
  const file = Buffer.alloc(44 + samples.length * 2);
  file.write('RIFF', 0);
  file.write('WAVEfmt ', 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(channels, 22);
  file.writeUInt32LE(rateHz, 24);
  file.writeUInt16LE(16, 34);
  file.write('data', 36);
  file.writeUInt32LE(size, 40);
  samples.forEach((sample, index) => file.writeInt16LE(sample, 44 + 2 * index));
  return file;
}
