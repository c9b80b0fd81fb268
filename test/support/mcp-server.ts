/** A real MCP server, made with the SDK: `mcp-server.ts` on standard input and output, `mcp-server.ts http` on a port that it prints. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

const make = (): McpServer => {
  const server = new McpServer({ name: 'test', version: '1' });
  server.registerTool('order', { inputSchema: { order: z.string() }, outputSchema: { status: z.string() } }, ({ order }) => ({
    structuredContent: { status: 'sent ' + order },
    content: [{ type: 'text', text: '{}' }],
  }));
  server.registerTool('text', { inputSchema: {} }, () => ({ content: [{ type: 'text', text: '{"status":"open"}' }] }));
  server.registerTool('fails', { inputSchema: {} }, () => {
    throw new Error('secret words');
  });
  server.registerTool('big', { inputSchema: {} }, () => ({ content: [{ type: 'text', text: 'x'.repeat(300000) }] }));
  server.registerTool('dies', { inputSchema: {} }, () => process.exit(1));
  server.registerTool('hangs', { inputSchema: {} }, () => new Promise(() => undefined));
  return server;
};
if (process.argv[2] === 'http') {
  const http = createServer((request, response) => {
    const transport = new StreamableHTTPServerTransport({});
    void make()
      .connect(transport)
      .then(() => transport.handleRequest(request, response));
  });
  http.listen(0, '127.0.0.1', () => process.stdout.write(`${(http.address() as AddressInfo).port}\n`));
} else await make().connect(new StdioServerTransport());
