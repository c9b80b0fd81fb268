/**
 * What this process may connect to: a list derived from the configuration, and a guard at the one place where Node opens a connection.
 * It must not know what a connection is for, nor decide by content. Loopback and Unix sockets stay on the machine and are no egress.
 * Errors: EGRESS_REFUSED, given to whoever wanted the connection; nothing was sent, no name was looked up.
 */
export { bareHost, type Destination, isLocal, urlsIn } from './destinations.ts';
export { type EgressGuard, guardEgress, type Refusal } from './guard.ts';
