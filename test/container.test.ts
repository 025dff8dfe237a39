import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { describeSettings } from '../src/config.ts';
import { startGateway } from './support/gateway.ts';

interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly networks?: readonly string[] | Readonly<Record<string, { readonly aliases?: readonly string[] }>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly read_only?: boolean;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, object>>;
}

const dockerfile = readFileSync('Dockerfile', 'utf8').replaceAll(/\\\n\s*/g, '');
const instructions = [...dockerfile.matchAll(/^([A-Z]+) (.+)$/gm)].map(([, name = '', rest = '']) => ({ name, rest }));
const all = (wanted: string) => instructions.filter(({ name }) => name === wanted).map(({ rest }) => rest);
const compose = parse(readFileSync('compose.yaml', 'utf8'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const gateways = services.filter(([, { image, command }]) => image === 'postern' && !command);

test('all that the image is made of exists, and .dockerignore lets it in', () => {
  const allowed = readFileSync('.dockerignore', 'utf8')
    .split('\n')
    .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
  const sources = all('COPY')
    .filter((rest) => !rest.startsWith('--from'))
    .flatMap((rest) => rest.split(' ').slice(0, -1));
  expect(sources.length).toBeGreaterThan(8);
  for (const source of sources)
    expect([source, existsSync(source), allowed.includes(source)]).toEqual([source, true, true]);
  expect(allowed.filter((path) => !sources.includes(path))).toEqual([]);
});

test('whatever the package has to run is in the image', () => {
  const { files } = JSON.parse(readFileSync('package.json', 'utf8')) as { files: string[] };
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
  for (const file of files.filter((name) => !/^(?:CHANGELOG|docs|deploy)/.test(name)))
    expect(last).toMatch(new RegExp(`^COPY .*\\b${file.replace('.', '\\.')}( |$)`, 'm'));
});

test('the image is nobody’s who may do everything, holds no secret, and lets signals through', () => {
  expect(all('USER')).toEqual(['1000:1000']);
  expect(all('ENTRYPOINT')).toEqual(['["node", "dist/cli.js"]']);
  for (const setting of [...all('ENV'), ...all('ARG')]) expect(setting).not.toMatch(/secret|password|token|key/i);
  // What npm has to run of others does not run where our files are.
  for (const step of all('RUN').filter((rest) => rest.startsWith('npm ci'))) expect(step).toContain('--ignore-scripts');
});

test('the health check is one: a gateway that answers is healthy, and neither another answer nor none', async () => {
  const [, command = '[]'] = /CMD (\[.*\])$/.exec(all('HEALTHCHECK')[0] ?? '') ?? [];
  const [program = '', ...words] = JSON.parse(command) as string[];
  expect(program).toBe('node');
  const statusAt = async (port: string) => {
    const checked = promisify(execFile)(process.execPath, words, { env: { PORT: port } });
    return checked.then(
      () => 0,
      ({ code }: { code: number }) => code,
    );
  };
  const gateway = await startGateway();
  const { port } = new URL(gateway.url);
  expect(await statusAt(port)).toBe(0);
  await gateway.stop();
  expect(await statusAt(port)).toBe(1);
  const draining = createServer((_request, response) => response.writeHead(503).end());
  await new Promise<void>((resolve) => draining.listen(0, '127.0.0.1', () => resolve()));
  expect(await statusAt(String((draining.address() as AddressInfo).port))).toBe(1);
  draining.close();
});

test('compose.yaml sets nothing that is no setting, and has no secret of its own', () => {
  const known = describeSettings().map(({ name }) => name);
  expect(gateways.map(([name]) => name)).toEqual(['postern-1', 'postern-2']);
  for (const [name, { image, environment = {} }] of services) {
    if (image === 'postern') for (const setting of Object.keys(environment)) expect(known).toContain(setting);
    for (const [setting, value] of Object.entries(environment)) {
      const isSecret = /PASSWORD$|SECRET|_URL$/.test(setting);
      // Asked for, so that what is missing stops it: a default would be everybody's.
      if (isSecret) expect([name, setting, value]).toEqual([name, setting, expect.stringContaining(':?}')]);
      expect(value).not.toMatch(/\$\{\w+:?-/);
    }
  }
});

test('images of compose.yaml are pinned, and its files and volumes are there', () => {
  for (const [name, { image, volumes = [] }] of services) {
    if (image !== 'postern') expect([name, image]).toEqual([name, expect.stringMatching(/:\d+\.\d+/)]);
    for (const volume of volumes) {
      const [source = ''] = volume.split(/:(?!\?)/);
      const isThere = source.startsWith('./') ? existsSync(source) : source in compose.volumes;
      expect([source, isThere || /^\$\{\w+:\?\}$/.test(source)]).toEqual([source, true]);
    }
  }
});

test('the gateways wait for the tables and the rights, write to nothing, and are reached by the proxy alone', () => {
  expect(compose.services.rights?.depends_on).toEqual({ migrate: { condition: 'service_completed_successfully' } });
  for (const [, gateway] of gateways) {
    expect(gateway.depends_on).toEqual({ rights: { condition: 'service_completed_successfully' } });
    expect(gateway.read_only).toBe(true);
    expect(gateway.environment?.POSTERN_TRUSTED_PROXIES).toBe('1');
  }
  expect(services.filter(([, { ports }]) => ports).map(([name]) => name)).toEqual(['proxy']);
  expect(compose.services.database?.networks).toEqual(['inside']);
  expect(compose.networks.inside?.internal).toBe(true);
  for (const [, { networks }] of gateways) expect(networks).toMatchObject({ inside: { aliases: ['gateways'] } });
  const proxy = readFileSync('deploy/nginx.conf', 'utf8');
  expect(proxy).toContain('http://gateways:4000;');
  // What a client says of its own address would be taken for the truth.
  expect(proxy.match(/X-Forwarded-For.*/g)).toEqual(['X-Forwarded-For $remote_addr;']);
});
