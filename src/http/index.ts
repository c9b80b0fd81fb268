/** HTTP for the command line and the console: loopback, token. Reading, and the acts that the composition root hands in. Knows the call runner; decides nothing. Errors: PORT_IN_USE. */
export { type Act, type HttpOptions, type HttpServer, startHttp } from './server.ts';
