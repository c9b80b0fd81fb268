/** Speaks Ollama's API as far as Parley uses it: /api/chat (NDJSON, tools), /api/embed, /api/tags, /api/version. See http.ts for the control door. */
import type { Part, Reply } from './calls.ts';
import { meaningOf } from './meaning.ts';
import { readBody, sendJson, serve, type Exchange } from './http.ts';
import { finish, sendReply, watch, type Wire } from './stream.ts';

const MODELS = ['stand-in:latest', 'llama3.2:3b'];

interface Body {
  readonly model?: string;
  readonly messages?: readonly { readonly role: string; readonly content: string }[];
  readonly stream?: boolean;
}

function wire(model: string, promptTokens: number): Wire {
  const line = (fields: object): string => `${JSON.stringify({ model, created_at: new Date().toISOString(), ...fields })}\n`;
  const message = (part: Part): object => {
    if ('text' in part) return { role: 'assistant', content: part.text };
    return { role: 'assistant', content: '', tool_calls: [{ function: { name: part.tool.name, arguments: part.tool.arguments } }] };
  };
  return {
    contentType: 'application/x-ndjson',
    part: (part) => {
      if ('tool' in part && part.tool.raw !== undefined)
        return line({
          message: { role: 'assistant', content: '', tool_calls: [{ function: { name: part.tool.name, arguments: part.tool.raw } }] },
          done: false,
        });
      return line({ message: message(part), done: false });
    },
    end: (reply: Reply, parts) =>
      line({
        message: { role: 'assistant', content: '' },
        done: true,
        done_reason: reply.finish ?? 'stop',
        total_duration: 1,
        load_duration: 1,
        prompt_eval_count: promptTokens,
        prompt_eval_duration: 1,
        eval_count: parts.length,
        eval_duration: 1,
      }),
    wrongShape: '{"message":"text where an object belongs","done":false}\n{"done":"yes"}\n',
    errorInside: '{"error":"an error was encountered while running the model: unexpected EOF"}\n',
    errorBody: (status) => ({
      error: status === 404 ? `model "${model}" not found, try pulling it first` : 'llama runner process no longer running: 2',
    }),
    lineStart: '{"message":{"role":"assistant","content":"',
  };
}

async function chat(exchange: Exchange): Promise<void> {
  const body = JSON.parse((await readBody(exchange.request)).toString()) as Body;
  const seen = watch(exchange, body);
  const { model = '', messages = [] } = body;
  const known = MODELS.includes(model.includes(':') ? model : `${model}:latest`);
  if (!known) {
    sendJson(exchange.response, 404, { error: `model '${model}' not found` });
    finish(exchange.call, seen);
    return;
  }
  if (messages.length === 0) {
    // A request without messages loads the model.
    exchange.response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    exchange.response.end(
      `${JSON.stringify({ model, created_at: new Date().toISOString(), message: { role: 'assistant', content: '' }, done_reason: 'load', done: true })}\n`,
    );
    finish(exchange.call, seen);
    return;
  }
  const lastUser = messages.findLast((message) => message.role === 'user')?.content ?? '';
  const promptTokens = messages.reduce((sum, message) => sum + Math.ceil(message.content.length / 4), 0);
  sendReply(exchange, seen, exchange.call.reply(lastUser), wire(model, promptTokens));
}

async function embed(exchange: Exchange): Promise<void> {
  const { model = '', input = [] } = JSON.parse((await readBody(exchange.request)).toString()) as {
    model?: string;
    input?: string | string[];
  };
  if (!MODELS.includes(model.includes(':') ? model : `${model}:latest`)) {
    sendJson(exchange.response, 404, { error: `model "${model}" not found, try pulling it first` });
    return;
  }
  const embeddings = [input].flat().map(meaningOf);
  sendJson(exchange.response, 200, { model, embeddings, total_duration: 1, load_duration: 1, prompt_eval_count: embeddings.length });
}

serve('ollama', 8, async (exchange) => {
  const { path, method, response } = exchange;
  if (method === 'POST' && path === '/api/embed') return embed(exchange);
  if (method === 'POST' && path === '/api/chat') return chat(exchange);
  if (path === '/api/tags') {
    sendJson(response, 200, { models: MODELS.map((name) => ({ name, model: name, size: 1, digest: '0', details: {} })) });
    return;
  }
  if (path === '/api/version') {
    sendJson(response, 200, { version: '0.0.0-stand-in' });
    return;
  }
  sendJson(response, 404, { error: 'not found' });
});
