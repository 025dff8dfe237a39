import type { Hooks } from '../hooks.ts';
import type { Brand, Message, RenderedMail } from './message.ts';
import { renderMail, renderText } from './messages.ts';

/** What delivering takes from the outside. */
export interface DeliveryParts {
  readonly brand: Brand;
  readonly hooks: Pick<Hooks, 'mails' | 'texts' | 'sendSms'>;
  /** Hands a mail to the mail server, or rejects. The id is the same for each attempt at one message. */
  sendMail(mail: RenderedMail & { readonly to: string; readonly id: string }): Promise<void>;
  /** The address of a person at this moment; null if there is none any more. */
  primaryEmailOf(userId: string): Promise<string | null>;
}

/** Writes a message and hands it on. Whom it can not reach any more it does not reach. */
export async function deliver(parts: DeliveryParts, message: Message, id: string): Promise<void> {
  if ('sms' in message) {
    const text = renderText(message, parts.brand, parts.hooks.texts);
    await parts.hooks.sendSms?.({ to: message.to.phone, text });
    return;
  }
  const to = 'email' in message.to ? message.to.email : await parts.primaryEmailOf(message.to.userId);
  if (to === null) return;
  await parts.sendMail({ ...renderMail(message, parts.brand, parts.hooks.mails), to, id });
}
