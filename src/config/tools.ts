/** The keys of `tools`: what a flow may reach outside. Nothing is reachable that does not stand here. */
import { z } from 'zod';
import type { ToolTarget } from '../contracts/index.ts';

const file = z.string().trim().min(1, 'expected a path');
const headers = z
  .record(z.string().regex(/^[A-Za-z0-9-]{1,60}$/, 'expected the name of a header'), file)
  .default({})
  .describe('Headers sent with every request, as keys and tokens: name of the header to the file that holds its value.');
const webUrl = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), 'expected a URL, as in "https://host.example/path"')
  .refine((text) => !/^[a-z]+:\/\/[^/]*@/i.test(text), 'has a user or a password in it, expected them in keys of their own');

const name = z.string().regex(/^[A-Za-z0-9_-]{1,60}$/, 'expected letters, digits, hyphens and underlines');

const processor = z
  .string()
  .trim()
  .min(1, 'expected a name')
  .max(200, 'expected a name of at most 200 characters')
  .optional()
  .describe('Who runs it, as the record of processing names it (parley report ropa); "own" for yourselves.');

const httpHost = z.strictObject({
  private: z.boolean().default(false).describe('May its address be in a private network?'),
  headers,
  processor,
});

const mcpServer = z
  .strictObject({
    command: z.array(z.string().min(1)).min(1).optional().describe('Program and arguments of a server on standard input and output.'),
    url: webUrl.optional().describe('Address of a server over streamable HTTP.'),
    headers,
    processor,
  })
  .refine(({ command, url }) => (command === undefined) !== (url === undefined), 'expected either command or url');

const calendar = z.strictObject({
  url: webUrl
    .refine((text) => text.endsWith('/'), 'expected the address of a collection, with a slash at its end')
    .describe('Calendar collection of a CalDAV server.'),
  user: z.string().min(1).max(200).describe('User of the server.'),
  passwordFile: file.describe('File that holds the password and nothing else.'),
  processor,
  zone: z
    .string()
    .refine((zone) => {
      try {
        return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
      } catch {
        return false;
      }
    }, 'expected the name of a time zone, as in "Europe/Berlin"')
    .describe('Time zone that callers mean.'),
});

const portTarget = z
  .strictObject({
    http: z
      .strictObject({
        method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST').describe('Method of the request.'),
        url: webUrl.describe('Address; {name} in it is filled with the argument of that name. Its host must stand in tools.http.'),
      })
      .optional()
      .describe('A request; arguments that the address does not take are its body.'),
    mcp: z
      .strictObject({ server: name.describe('Name in tools.mcp.'), tool: z.string().min(1).max(200).describe('Tool of that server.') })
      .optional()
      .describe('A tool of an MCP server.'),
  })
  .refine(({ http, mcp }) => (http === undefined) !== (mcp === undefined), 'expected either http or mcp');

const openApi = z.strictObject({
  file: file.describe('OpenAPI document (3.0 or 3.1), YAML or JSON.'),
  url: webUrl
    .refine((text) => !/[?#]/.test(text), 'has a query or a fragment, expected an address that paths can follow')
    .describe('Address that the paths of the document follow. Its host must stand in tools.http.'),
});

const toolsObject = z.strictObject({
  http: z
    .record(
      z.string().regex(/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]{1,253})(:\d{1,5})?$/, 'expected a host, or host:port'),
      httpHost.nullable().transform((given) => given ?? { private: false, headers: {}, processor: undefined }),
    )
    .default({})
    .describe('Hosts that HTTP tools may reach, as host or host:port.'),
  openapi: z.record(name, openApi).default({}).describe('OpenAPI documents whose operations flows name, by name.'),
  mcp: z
    .record(z.string().regex(/^[A-Za-z0-9_-]{1,60}$/), mcpServer)
    .default({})
    .describe('Servers of the Model Context Protocol, by name.'),
  ports: z
    .record(z.string().regex(/^[a-z][A-Za-z0-9]*\.[a-z][A-Za-z0-9]*$/, 'expected the name of a port, as in "shop.order"'), portTarget)
    .default({})
    .describe('What serves the ports that flows name, where Parley itself does not.'),
  calendar: calendar.optional().describe('The calendar of the tools calendar.*.'),
});

export const toolsSchema = toolsObject.superRefine(({ http, openapi }, context) => {
  for (const [api, { url }] of Object.entries(openapi)) {
    const { host, hostname } = new URL(url);
    if (host in http || hostname in http) continue;
    context.addIssue({ code: 'custom', path: ['openapi', api, 'url'], message: `expected its host (${host}) in tools.http` });
  }
});

export type ToolsFile = z.infer<typeof toolsSchema>;

/** As the program uses it: files absolute. */
export interface ToolsConfig {
  readonly http: Readonly<Record<string, { readonly private: boolean; readonly headerFiles: Readonly<Record<string, string>> }>>;
  readonly openapi: Readonly<Record<string, { readonly file: string; readonly url: string }>>;
  readonly mcp: Readonly<
    Record<
      string,
      (
        { readonly t: 'stdio'; readonly command: string; readonly args: readonly string[] } | { readonly t: 'http'; readonly url: string }
      ) & { readonly headerFiles: Readonly<Record<string, string>> }
    >
  >;
  readonly ports: Readonly<Record<string, Exclude<ToolTarget, { t: 'port' }>>>;
  readonly calendar: { readonly url: string; readonly user: string; readonly passwordFile: string; readonly zone: string } | null;
  /** Who runs them, by key below `tools`: 'http.HOST', 'mcp.NAME', 'calendar'. Those that are not stated are missing. */
  readonly processors: Readonly<Record<string, string>>;
}

export function toToolsConfig({ http, openapi, mcp, ports, calendar }: ToolsFile, absolute: (path: string) => string): ToolsConfig {
  const files = (given: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(given).map(([name, path]) => [name.toLowerCase(), absolute(path)]));
  return {
    http: Object.fromEntries(
      Object.entries(http).map(([name, given]) => [name, { private: given.private, headerFiles: files(given.headers) }]),
    ),
    openapi: Object.fromEntries(Object.entries(openapi).map(([api, given]) => [api, { ...given, file: absolute(given.file) }])),
    mcp: Object.fromEntries(
      Object.entries(mcp).map(([name, { command, url, headers: given }]) => {
        const [program = '', ...args] = command ?? [];
        const server = url === undefined ? { t: 'stdio' as const, command: program, args } : { t: 'http' as const, url };
        return [name, { ...server, headerFiles: files(given) }];
      }),
    ),
    ports: Object.fromEntries(Object.entries(ports).map(([port, target]) => [port, targetOf(target)])),
    calendar: calendar === undefined ? null : calendarOf(calendar, absolute),
    processors: processorsOf({ http, mcp, calendar }),
  };
}

function calendarOf({ url, user, passwordFile, zone }: NonNullable<ToolsFile['calendar']>, absolute: (path: string) => string) {
  return { url, user, passwordFile: absolute(passwordFile), zone };
}

function processorsOf({ http, mcp, calendar }: Pick<ToolsFile, 'http' | 'mcp' | 'calendar'>): Readonly<Record<string, string>> {
  const named = [
    ...Object.entries(http).map(([host, given]) => [`http.${host}`, given.processor] as const),
    ...Object.entries(mcp).map(([name, given]) => [`mcp.${name}`, given.processor] as const),
    ['calendar', calendar?.processor] as const,
  ];
  return Object.fromEntries(named.flatMap(([key, who]) => (who === undefined ? [] : [[key, who]])));
}

function targetOf({ http, mcp }: ToolsFile['ports'][string]): Exclude<ToolTarget, { t: 'port' }> {
  if (http !== undefined) return { t: 'http', ...http };
  return { t: 'mcp', server: mcp?.server ?? '', tool: mcp?.tool ?? '' };
}
