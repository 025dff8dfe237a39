// Rules of one's own, without a fork: a gateway that is started in this folder reads this file.
import { blockDomains, defineConfig, parsePhoneNumber } from 'postern';

const { CRM_WEBHOOK_URL, CRM_WEBHOOK_SECRET } = process.env;

export default defineConfig({
  hooks: {
    // Nobody signs up with an address of this domain, nor of any below it.
    cleanEmail: blockDomains('throwaway.example'),
    // Staff has a second factor; for everybody else it is as POSTERN_MFA_REQUIRED says.
    requiresMfa: ({ roles }) => (roles.includes('staff') ? true : null),
  },
  // They stand in User, and in the inputs of whoever may write them: `postern schema` prints it.
  userFields: {
    phoneNumber: {
      type: 'String',
      description: 'Where support may call, in E.164.',
      write: 'OWNER',
      validate(typed) {
        const number = parsePhoneNumber(typed);
        return number ? { value: number } : 'INVALID';
      },
    },
    organization: { type: 'String', write: 'ADMINISTRATOR', index: true, inAccessToken: true },
    onboarded: { type: 'Boolean', write: 'OWNER', default: false },
  },
  // Told once something has happened.
  webhooks:
    CRM_WEBHOOK_URL && CRM_WEBHOOK_SECRET
      ? [{ id: 'crm', url: CRM_WEBHOOK_URL, secret: CRM_WEBHOOK_SECRET, events: ['SignedUp', 'AccountDeleted'] }]
      : [],
});
