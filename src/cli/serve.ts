import type { Command } from './command.ts';

export const serve: Command = {
  usage: 'postern serve',
  summary: 'runs the gateway until SIGTERM or SIGINT',
  run: async () => {
    await import('../main.ts');
    return undefined;
  },
};
