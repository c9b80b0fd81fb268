/** What an operator sees of the process: JSON logs and the system clock. Knows no calls and no personal data. */
export { systemClock, systemTimers } from './clock.ts';
export { createLogger, type LogLevel, silentLogger } from './logger.ts';
