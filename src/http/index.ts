/** HTTP for the command line and the console: loopback, token, read-only. Knows the call runner; decides nothing. Errors: PORT_IN_USE. */
export { type HttpOptions, type HttpServer, startHttp } from './server.ts';
