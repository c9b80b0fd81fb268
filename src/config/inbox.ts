/** Who is told that a caller left something for people. What it says is never told: only an id. */
import { z } from 'zod';

const webUrl = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), 'expected a URL, as in "https://host.example/path"')
  .refine((text) => !/^[a-z]+:\/\/[^/]*@/i.test(text), 'has a user or a password in it, expected headers in tools.http');

export const inboxSchema = z.strictObject({
  notify: z
    .strictObject({
      command: z
        .array(z.string().min(1, 'expected a program and its arguments'))
        .min(1, 'expected a program and its arguments')
        .optional()
        .describe('Program and arguments that get {"item", "kind", "why"} on standard input, without a shell; no words, names or numbers.'),
      url: webUrl.optional().describe('Address that gets the same by POST. Its host must stand in tools.http.'),
    })
    .refine(({ command, url }) => (command === undefined) !== (url === undefined), 'expected either command or url')
    .optional()
    .describe('Who is told of a new item, and of one whose day has come. parley inbox show opens it.'),
});

interface Parts {
  readonly inbox: z.infer<typeof inboxSchema>;
  readonly tools: { readonly http: Readonly<Record<string, unknown>> };
}

/** A host that nothing may be sent to. */
export function inboxProblems({ inbox, tools }: Parts): { path: string[]; message: string }[] {
  const url = inbox.notify?.url;
  if (url === undefined || !URL.canParse(url)) return [];
  const { host, hostname } = new URL(url);
  return host in tools.http || hostname in tools.http
    ? []
    : [{ path: ['notify', 'url'], message: `expected its host (${host}) in tools.http` }];
}
