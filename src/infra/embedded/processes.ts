import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readlink } from 'node:fs/promises';

interface Command {
  readonly program: string;
  /** The program and its arguments. */
  readonly line: string;
}

/** What a live process runs, or null. A zombie runs nothing. */
export async function commandOf(pid: number): Promise<Command | null> {
  if (process.platform === 'linux') {
    const [program, ...options] = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    return program ? { program, line: [program, ...options].join(' ') } : null;
  }
  const [program, line] = await Promise.all(
    process.platform === 'win32'
      ? [askWindows(pid, 'ExecutablePath'), askWindows(pid, 'CommandLine')]
      : [askUnix(pid, 'comm'), askUnix(pid, 'command')],
  );
  return program ? { program, line } : null;
}

function askUnix(pid: number, field: string): Promise<string> {
  return outputOf('ps', ['-ww', '-o', `${field}=`, '-p', String(pid)]);
}

function askWindows(pid: number, field: string): Promise<string> {
  const question = `(Get-CimInstance Win32_Process -Filter ProcessId=${pid}).${field}`;
  return outputOf('powershell', ['-NoProfile', '-Command', question]);
}

/** Where a process works; null where the system does not tell. */
export async function workingFolder(pid: number): Promise<string | null> {
  return readlink(`/proc/${pid}/cwd`).catch(() => null);
}

/** What a program of the system prints; nothing when there is no such program. */
export async function outputOf(program: string, options: string[]): Promise<string> {
  const child = spawn(program, options, { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await once(child, 'close').catch(() => undefined);
  return text.trim();
}
