/** What all calls together may cost, so that flows can choose by what is left of it. */
import { z } from 'zod';

const expected = 'expected an amount above 0';
const amount = z.number(expected).positive(expected).max(1_000_000_000, expected).optional();

export const budgetSchema = z.strictObject({
  perDay: amount.describe('Most for one day of this machine; no bound when left out.'),
  perMonth: amount.describe('Most for one month; no bound when left out.'),
});
