/**
 * Outside systems: carries out the errands of dialogues (tools, approvals, thoughts) inside the bounds of each tool. Knows how to reach a
 * system; must not know flows, turns or words. Off unless configured; a host must be listed before anything is sent to it.
 * Errors: none leaves the desk: every errand is answered with an event.
 */
export { type DeskOptions, ErrandDesk, type ErrandContext, type Tell } from './desk.ts';
export { httpTools, type HttpToolOptions } from './http.ts';
export { ApprovalDesk, type OpenApproval, ScriptedDeskPhone } from './approvals.ts';
export { type Correction, type CorrectedTurn, writeSuggestion } from './review-folder.ts';
export { isPrivate } from './addresses.ts';
export { directoryPort, memoryPorts, MemoryOutbox, type PortOperation, portTools } from './memory.ts';
export { type ApprovalRequest, type Approvers, type CallContext, NotDone, Refused, type ToolAdapter, TooLarge } from './ports.ts';
export { INBOX_PORTS, inboxPorts } from './inbox.ts';
export { McpClients, type McpServer } from './mcp.ts';
export { CalDav, type CalDavOptions } from './caldav.ts';
export { CALENDAR_PORTS, calendarPorts } from './calendar-ports.ts';
export * from './knowledge/index.ts';
export { type Egress, egressTo } from './egress.ts';
