/** Speaks OpenAI's chat completions as llama-server and vLLM do: server-sent events, tool calls in pieces, usage, /v1/models. */
import type { Part } from './calls.ts';
import { readBody, sendJson, serve, type Exchange } from './http.ts';
import { finish, sendReply, watch, type Wire } from './stream.ts';

const MODELS = ['stand-in'];

interface Body {
  readonly model?: string;
  readonly messages?: readonly { readonly role: string; readonly content: string | null }[];
  readonly stream_options?: { readonly include_usage?: boolean };
}

function wire(model: string, promptTokens: number, usage: boolean): Wire {
  const id = 'chatcmpl-1';
  const base = { id, object: 'chat.completion.chunk', created: 1, model };
  const event = (fields: object): string => `data: ${JSON.stringify({ ...base, ...fields })}\n\n`;
  const delta = (fields: object): string => event({ choices: [{ index: 0, delta: fields, finish_reason: null }] });
  let tools = 0;
  const toolEvents = (part: Extract<Part, { tool: unknown }>): string => {
    const index = tools++;
    const text = part.tool.raw ?? JSON.stringify(part.tool.arguments);
    const half = Math.ceil(text.length / 2);
    const opened = delta({
      tool_calls: [{ index, id: `call_${index}`, type: 'function', function: { name: part.tool.name, arguments: '' } }],
    });
    return [text.slice(0, half), text.slice(half)].reduce(
      (events, piece) => events + delta({ tool_calls: [{ index, function: { arguments: piece } }] }),
      opened,
    );
  };
  return {
    contentType: 'text/event-stream; charset=utf-8',
    part: (part, index) =>
      (index === 0 ? delta({ role: 'assistant', content: null }) : '') +
      ('text' in part ? delta({ content: part.text }) : toolEvents(part)),
    end: (reply, parts) => {
      const finishReason = tools > 0 ? 'tool_calls' : (reply.finish ?? 'stop');
      const last = event({ choices: [{ index: 0, delta: {}, finish_reason: finishReason }] });
      const counted = {
        prompt_tokens: promptTokens,
        completion_tokens: parts.length,
        total_tokens: promptTokens + parts.length,
        prompt_tokens_details: { cached_tokens: 0 },
      };
      return `${last}${usage ? event({ choices: [], usage: counted }) : ''}data: [DONE]\n\n`;
    },
    wrongShape: 'data: {"choices":"text where a list belongs"}\n\ndata: [DONE]\n\n',
    errorInside: 'data: {"error":{"message":"slot is gone","type":"server_error","code":500}}\n\n',
    errorBody: (status) => ({
      error: { message: 'something the caller said', type: status === 500 ? 'server_error' : 'invalid_request_error', code: null },
    }),
    lineStart: 'data: {"choices":[{"delta":{"content":"',
  };
}

async function chat(exchange: Exchange): Promise<void> {
  const body = JSON.parse((await readBody(exchange.request)).toString()) as Body;
  const seen = watch(exchange, body);
  const { model = '', messages = [] } = body;
  if (!MODELS.includes(model)) {
    sendJson(exchange.response, 404, { error: { message: `The model does not exist.`, type: 'NotFoundError', code: 404 } });
    finish(exchange.call, seen);
    return;
  }
  const lastUser = messages.findLast((message) => message.role === 'user')?.content ?? '';
  const promptTokens = messages.reduce((sum, message) => sum + Math.ceil((message.content ?? '').length / 4), 0);
  sendReply(exchange, seen, exchange.call.reply(lastUser), wire(model, promptTokens, body.stream_options?.include_usage === true));
}

serve('openai', 8, async (exchange) => {
  const { path, method, response } = exchange;
  if (method === 'POST' && path === '/v1/chat/completions') return chat(exchange);
  if (path === '/v1/models') {
    sendJson(response, 200, {
      object: 'list',
      data: MODELS.map((id) => ({ id, object: 'model', created: 1, owned_by: 'stand-in' })),
    });
    return;
  }
  if (path === '/health') {
    sendJson(response, 200, { status: 'ok' });
    return;
  }
  sendJson(response, 404, { error: { message: 'not found', type: 'not_found_error', code: 404 } });
});
