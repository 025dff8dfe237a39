export type { ReadMail } from '../../src/testing/mailboxes.ts';
