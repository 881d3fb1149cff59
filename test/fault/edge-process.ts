/** An edge on either runtime, as edge/local/serve.ts runs it, but for the entry, and for who may end it and how. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parse } from "smol-toml";
import { bundlePage, bundleWorker } from "../../edge/local/bundle.ts";
import { readEdgeConfig, workerdConfig } from "../../edge/local/workerd-config.ts";
import { NODE_FLAGS, type RunSettings } from "../../edge/runtime/node/run.ts";
import { eventually } from "../support/deadline.ts";
import { freePort } from "../support/ports.ts";
import type { RuntimeName } from "../support/runtimes.ts";
import { atExit } from "./at-exit.ts";

const root = join(import.meta.dirname, "../..");
/** For connections of many endpoints, all of which come from one region here. */
export const RELAYS = 2;
/** As the product's own runner does: a runtime ends on SIGTERM once its last connection has. */
const DRAIN_MS = 500;

export interface EdgeSettings {
  readonly runtime: RuntimeName;
  /** Folder of all that it stores; made here. */
  readonly folder: string;
  readonly streams: string;
  readonly uplinkKeys: string;
  /** Hears each line that it says. */
  readonly hear: (line: string) => void;
}

export class EdgeProcess {
  readonly port: number;
  readonly url: string;
  readonly #settings: EdgeSettings;
  #child: ChildProcess | undefined;
  #deploys = 0;
  output = "";

  static async start(settings: EdgeSettings): Promise<EdgeProcess> {
    const edge = new EdgeProcess(settings, await freePort());
    await bundlePage(root);
    await edge.build();
    await edge.start();
    return edge;
  }

  private constructor(settings: EdgeSettings, port: number) {
    this.#settings = settings;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  get runtime(): RuntimeName {
    return this.#settings.runtime;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Bundles the Worker; each time it is another one to the runtime. */
  async build(): Promise<void> {
    const { folder, streams, runtime } = this.#settings;
    const storage = join(folder, "objects");
    mkdirSync(storage, { recursive: true });
    const module = join(folder, "worker.js");
    const format = runtime === "node" ? "cjs" : "esm";
    await bundleWorker({ root, main: "test/fault/edge/worker.ts", streams, outfile: module, format });
    appendFileSync(module, `// Deploy ${++this.#deploys}\n`);
    const edge = readEdgeConfig(parse(readFileSync(join(root, "wrangler.toml"), "utf8")));
    // Names of origins are what tells who is active.
    const vars = { OPERATIONS: "on", DETAILS: "on", RELAYS: String(RELAYS) };
    const settings = { module, storage, host: "127.0.0.1", port: this.port, vars };
    writeFileSync(this.#config, runtime === "node" ? onNode(edge, settings) : onWorkerd(edge, settings));
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const { runtime, uplinkKeys } = this.#settings;
    const [command, ...args] = COMMANDS[runtime]();
    const child = spawn(command, [...args, this.#config], {
      env: { UPLINK_KEYS: uplinkKeys },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    child.once(
      "close",
      atExit(() => child.kill("SIGKILL")),
    );
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data: Buffer) => {
        this.output = (this.output + data.toString()).slice(-100_000);
        for (const line of data.toString().trimEnd().split("\n")) this.#settings.hear(line);
      });
    await eventually(
      async () => {
        if (child.exitCode !== null) throw new Error(`the edge ended: ${this.output}`);
        return (await fetch(`${this.url}/$/streams`)).status === 200;
      },
      `the edge answers, on ${runtime}`,
      30_000,
    );
  }

  /** Ends it without a word. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Lets requests finish for a moment, then ends it. */
  async stop(): Promise<void> {
    const force = setTimeout(() => this.#child?.kill("SIGKILL"), DRAIN_MS);
    await this.#end("SIGTERM");
    clearTimeout(force);
  }

  /** Asks one of the hooks of edge/worker.ts. Throws where it can't be reached. */
  async hook(name: string, query: Readonly<Record<string, string>> = {}): Promise<Response> {
    const response = await fetch(`${this.url}/$/test/${name}?${new URLSearchParams(query)}`, {
      signal: AbortSignal.timeout(3_000),
    });
    if (!response.ok) throw new Error(`${name}: ${response.status}; ${this.output.slice(-500)}`);
    return response;
  }

  get #config(): string {
    return join(this.#settings.folder, "runtime.config");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "close");
    child.kill(signal);
    await ended;
  }
}

type Config = ReturnType<typeof readEdgeConfig>;
type Settings = Parameters<typeof workerdConfig>[1];

/** What runs a config. */
const COMMANDS: Readonly<Record<RuntimeName, () => readonly [string, ...string[]]>> = {
  workerd: () => {
    const workerd = createRequire(import.meta.url)("workerd") as { readonly default: string };
    return [workerd.default, "serve", "--experimental"];
  },
  node: () => [process.execPath, ...NODE_FLAGS, join(import.meta.dirname, "edge-on-node.ts")],
};

const onWorkerd = (edge: Config, settings: Settings) =>
  workerdConfig({ ...edge, compatibilityFlags: [...edge.compatibilityFlags, "unsafe_module"] }, settings);

function onNode({ objects, vars, secrets }: Config, settings: Settings): string {
  const all: RunSettings = { ...settings, objects, secrets, vars: { ...vars, ...settings.vars } };
  return JSON.stringify(all);
}
