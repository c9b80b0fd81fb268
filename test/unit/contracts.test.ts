import { test } from 'tap';
import { ERRORS, ParleyError } from '../../src/contracts/index.ts';

test('an error carries its code and whether a retry may help', (t) => {
  const error = new ParleyError('STORE_DOWN', 'postgres at 127.0.0.1:5432 does not answer');
  t.equal(error.code, 'STORE_DOWN');
  t.equal(error.retryable, true);
  t.end();
});

test('every error says what it means and what to do', (t) => {
  for (const [code, kind] of Object.entries(ERRORS)) {
    t.match(code, /^[A-Z][A-Z0-9_]+$/);
    t.ok(kind.meaning.endsWith('.') && kind.action.endsWith('.'), code);
  }
  t.end();
});
