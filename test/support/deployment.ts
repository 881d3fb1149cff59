/**
 * The product as it is deployed, on one machine: a real workerd for the edge and a real origin process, each
 * started by its own script, on a random port and a data folder of its own. Tests write to the embedded log as
 * `npm run produce` does: from another process than the origin's.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Appended, EmbeddedLog, logPath, type NewRecord } from "../../origin/embedded/log.ts";
import { COMMANDS } from "../../shared/node/commands.ts";
import { endpointPath } from "../../shared/protocol/address.ts";
import { eventually } from "./deadline.ts";
import { freePort } from "./ports.ts";
import { RawSubscriber } from "./raw-subscriber.ts";

/** What the origin is called that a deployment starts with. */
export const FIRST_ORIGIN = "first";

/** Those that have a key unless a deployment says otherwise. */
const ORIGINS = [FIRST_ORIGIN, "second", "third", ...Array.from({ length: 7 }, (_, i) => `slice-${i + 2}`)];

const root = join(import.meta.dirname, "../..");

/** A key for an origin of this name, as people write it. */
export function newUplinkKey(name: string, secret = randomBytes(32).toString("base64url")): string {
  return `key-of-${name}:${name}:${secret}`;
}

export interface StreamSettings {
  readonly partitions?: number;
  readonly retainRecords?: number;
  /** Fields of the stream in streams.json. */
  readonly stream?: Record<string, unknown>;
}

export interface DeploymentSettings {
  /** By topic, which is created in the embedded log, or by a pattern. */
  readonly topics: Readonly<Record<string, StreamSettings>>;
  readonly originEnv?: Readonly<Record<string, string>>;
  readonly edgeEnv?: Readonly<Record<string, string>>;
  /** The first origin's; one of its own otherwise. */
  readonly uplinkSecret?: string;
  /** Another edge than the product's, by the script that runs it. */
  readonly edgeScript?: string;
  /** How many origins share the partitions, from the start; the first is called FIRST_ORIGIN, others `slice-2` and so on. */
  readonly slices?: number;
  /** What origins are called that come later, other than `second` and `third`. */
  readonly names?: readonly string[];
  /** Of each edge beside the first, what it is started with; each has storage, and keys, of its own. */
  readonly moreEdges?: readonly Readonly<Record<string, string>>[];
  /** Written before the origin starts. */
  readonly before?: (log: EmbeddedLog) => void;
}

interface AnotherEdge {
  readonly env: Readonly<Record<string, string>>;
  readonly port: number;
  readonly url: string;
  /** By origin. */
  readonly keys: ReadonlyMap<string, string>;
}

export class Deployment {
  readonly url: string;
  readonly dataDir: string;
  readonly log: EmbeddedLog;
  readonly #env: NodeJS.ProcessEnv;
  readonly #originEnv: Readonly<Record<string, string>>;
  readonly #edgeScript: string;
  /** By origin. */
  readonly #keys: ReadonlyMap<string, string>;
  readonly #moreEdges: readonly AnotherEdge[];
  edge: Child | undefined;
  /** Those beside the first. */
  readonly otherEdges: Child[] = [];
  origin: Child | undefined;
  /** Of each slice, where there are several. */
  readonly slices: Child[] = [];

  static async start(settings: DeploymentSettings): Promise<Deployment> {
    const more = settings.moreEdges ?? [];
    const ports = await Promise.all(more.map(() => freePort()));
    const deployment = new Deployment(settings, await freePort(), ports);
    try {
      settings.before?.(deployment.log);
      deployment.edge = deployment.startEdge();
      for (const i of more.keys()) deployment.startOtherEdge(i);
      deployment.startOrigins(settings.slices ?? 1);
      await deployment.ready();
      return deployment;
    } catch (error) {
      await deployment.stop();
      throw error;
    }
  }

  private constructor(settings: DeploymentSettings, port: number, otherPorts: readonly number[]) {
    this.url = `http://127.0.0.1:${port}`;
    this.dataDir = mkdtempSync(join(tmpdir(), "distributary-"));
    const streams: Record<string, unknown> = {};
    this.log = new EmbeddedLog(logPath(this.dataDir));
    for (const [topic, { stream, ...log }] of Object.entries(settings.topics)) {
      streams[topic] = { title: topic, subscribe: "public", ...stream };
      if (!topic.includes("*")) this.log.createTopic(topic, log);
    }
    writeFileSync(join(this.dataDir, "streams.json"), JSON.stringify({ streams }));
    const names = [...ORIGINS, ...(settings.names ?? [])];
    this.#keys = new Map(
      names.map((name) => [
        name,
        newUplinkKey(name, name === FIRST_ORIGIN ? settings.uplinkSecret : undefined),
      ]),
    );
    this.#moreEdges = (settings.moreEdges ?? []).map((env, i) => ({
      ...{ env, port: otherPorts[i] ?? 0, url: `http://127.0.0.1:${otherPorts[i]}` },
      keys: new Map(names.map((name) => [name, newUplinkKey(name)])),
    }));
    this.#originEnv = settings.originEnv ?? {};
    this.#edgeScript = settings.edgeScript ?? "edge/local/serve.ts";
    this.#env = {
      ...process.env,
      PORT: String(port),
      DATA_DIR: this.dataDir,
      STREAMS: join(this.dataDir, "streams.json"),
      EDGE_URL: this.url,
      UPLINK_KEYS: [...this.#keys.values()].join(","),
      OPERATIONS: "on",
      ...settings.edgeEnv,
    };
  }

  /** @param more other settings than those of the deployment */
  startEdge(more: Readonly<Record<string, string>> = {}): Child {
    return new Child(this.#edgeScript, { ...this.#env, ...more });
  }

  /** Where each edge is, the first one first. */
  get urls(): readonly string[] {
    return [this.url, ...this.#moreEdges.map(({ url }) => url)];
  }

  /** One beside the first, in place of what it was before. */
  startOtherEdge(number: number): void {
    const edge = this.#moreEdges[number];
    if (edge === undefined) throw new Error(`there is no other edge ${number}`);
    const DATA_DIR = join(this.dataDir, `edge-${number}`);
    const env = { PORT: String(edge.port), DATA_DIR, UPLINK_KEYS: [...edge.keys.values()].join(",") };
    this.otherEdges[number] = new Child("edge/local/serve.ts", { ...this.#env, ...env, ...edge.env });
  }

  /** Says which edges an origin dials, where there are several: from its start, or from the next SIGHUP on. */
  dials(name: string, urls: readonly string[] = this.urls): void {
    const keys = [this.#keys, ...this.#moreEdges.map(({ keys }) => keys)];
    const lines = this.urls.map((url, i) => `${url} ${keys[i]?.get(name)}`);
    writeFileSync(
      this.#edgesFile(name),
      lines.filter((_, i) => urls.includes(this.urls[i] ?? "")).join("\n"),
    );
  }

  #edgesFile(name: string): string {
    return join(this.dataDir, `edges-of-${name}`);
  }

  /** An origin that is called `name`, with an index of its own under that name; all read the same log. */
  startOrigin(name = FIRST_ORIGIN, more: Readonly<Record<string, string>> = {}): Child {
    const DATA_DIR = name === FIRST_ORIGIN ? this.dataDir : join(this.dataDir, name);
    const log = logPath(DATA_DIR);
    if (!existsSync(log)) {
      mkdirSync(dirname(log), { recursive: true });
      symlinkSync(logPath(this.dataDir), log);
    }
    const env = { ...this.#env, ...this.#originEnv, ...more, ...this.#edgesOf(name), DATA_DIR };
    return new Child("origin/main.ts", env, COMMANDS.origin.nodeFlags);
  }

  #edgesOf(name: string): Readonly<Record<string, string>> {
    if (this.#moreEdges.length === 0) return { UPLINK_KEY: this.uplinkKey(name) };
    if (!existsSync(this.#edgesFile(name))) this.dials(name);
    return { EDGES_FILE: this.#edgesFile(name), EDGE_URL: "" };
  }

  /** One origin for all partitions, or one for each of so many slices, in place of those that there were. */
  startOrigins(count: number): void {
    if (count === 1) this.origin = this.startOrigin();
    else for (let number = 1; number <= count; number++) this.startSlice(number, count);
  }

  /** The one for all partitions, or those of the slices. */
  get origins(): Child[] {
    return [this.origin, ...this.slices].filter((origin) => origin !== undefined);
  }

  /** The origin of a slice, in place of the one that it had before. */
  startSlice(number: number, count: number): void {
    const name = number === 1 ? FIRST_ORIGIN : `slice-${number}`;
    this.slices[number - 1] = this.startOrigin(name, { ORIGIN_SLICE: `${number}/${count}` });
  }

  /** The key of an origin, as people write it. */
  uplinkKey(name: string): string {
    const key = this.#keys.get(name);
    if (key === undefined) throw new Error(`the edge has no key of ${name}`);
    return key;
  }

  async ready(deadlineMs = 180_000): Promise<void> {
    const ended = await eventually(
      async () => {
        const child = [this.edge, ...this.otherEdges, ...this.origins].find((child) => child?.exited);
        if (child !== undefined) return child;
        const answers = await Promise.all(this.urls.map((url) => fetch(`${url}/$/health`)));
        return answers.every(({ status }) => status === 200);
      },
      () => `ready\n${this.edge?.output}\n${this.origin?.output}`,
      deadlineMs,
    );
    if (ended instanceof Child) throw new Error(`${ended.script} ended:\n${ended.output}`);
  }

  produce(topic: string, records: readonly NewRecord[]): readonly Appended[] {
    return this.log.append(topic, records);
  }

  /** @param url The edge's. */
  subscribe(path: string, from?: string, url = this.url): RawSubscriber {
    const query = from === undefined ? "" : `?from=${encodeURIComponent(from)}`;
    return new RawSubscriber(`${url.replace("http", "ws")}${path}${query}`);
  }

  /** Billable operations so far, by name. */
  async operations(): Promise<Record<string, number>> {
    return (await (await fetch(`${this.url}/$/operations`)).json()) as Record<string, number>;
  }

  async stop(): Promise<void> {
    this.log.close();
    const children = [this.origin, this.edge, ...this.otherEdges, ...this.slices];
    await Promise.all(children.map((child) => child?.stop()));
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** A process of the product, with what it said. */
export class Child {
  readonly script: string;
  readonly process: ChildProcess;
  output = "";
  exited = false;

  /** @param openFiles how many it, and each that it starts, may open; undefined: as many as this process */
  constructor(script: string, env: NodeJS.ProcessEnv, nodeFlags: readonly string[] = [], openFiles?: number) {
    this.script = script;
    const node = [process.execPath, ...nodeFlags, join(root, script)];
    const limit = openFiles === undefined ? [] : ["-c", `ulimit -n ${openFiles} && exec "$@"`, "sh"];
    const [command = "", ...args] = openFiles === undefined ? node : ["sh", ...limit, ...node];
    this.process = spawn(command, args, {
      cwd: root,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.on("data", (data: Buffer) => {
        this.output = (this.output + data.toString()).slice(-20_000);
      });
    this.process.once("exit", () => {
      this.exited = true;
    });
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.exited) return;
    this.process.kill(signal);
    await once(this.process, "exit");
  }

  /** The most that was resident at any time, in bytes, from the kernel. */
  peakResidentBytes(): number {
    const status = readFileSync(`/proc/${this.process.pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }
}

export const utf8 = (text: string) => new TextEncoder().encode(text);

/** The path of a key given as text. */
export const pathOf = (topic: string, key: string) => endpointPath(topic, utf8(key));
