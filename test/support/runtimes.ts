/** A Worker and its objects on either runtime, with hooks that production has not. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { createTestHarness } from "wrangler";
import { bundleWorker } from "../../edge/local/bundle.ts";
import { runWorkerd } from "../../edge/local/workerd.ts";
import { workerdConfig } from "../../edge/local/workerd-config.ts";
import type { WorkerSettings } from "../../edge/runtime/node/worker.ts";
import type { Eviction } from "./node-runtime-process.ts";

const root = join(import.meta.dirname, "../..");

export const RUNTIMES = ["workerd", "node"] as const;
export type RuntimeName = (typeof RUNTIMES)[number];

/** The one that suites run on which run on either: RUNTIME, workerd if it isn't set. */
export const RUNTIME: RuntimeName = process.env.RUNTIME === "node" ? "node" : "workerd";

export interface Started {
  readonly url: string;
  /** Takes an object out of memory; its sockets stay, as in a hibernation, or break. */
  evict(className: string, name: string, webSockets?: "hibernate" | "close"): Promise<void>;
  /** What it, and the Worker, has logged. */
  logs(): string[];
  close(): Promise<void>;
}

export interface WorkerToStart {
  /** Absolute path of the entry. */
  readonly main: string;
  /** By binding, classes of objects, all of which store. */
  readonly objects: Readonly<Record<string, string>>;
  readonly vars?: Readonly<Record<string, string>>;
  /** Where they store: a folder that is there and stays; else one of its own. */
  readonly storage?: string;
}

export function startOn(runtime: RuntimeName, worker: WorkerToStart): Promise<Started> {
  return runtime === "node" ? startOnNode(worker) : startOnWorkerd(worker);
}

/** As `npm run edge` runs it: nothing stands before it, and nothing can be taken out of memory. */
export async function startRawWorkerd({
  main,
  objects,
  vars = {},
  storage: kept,
}: WorkerToStart): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), "workerd-"));
  const module = join(folder, "worker.js");
  const storage = kept ?? join(folder, "objects");
  mkdirSync(storage, { recursive: true });
  await bundleWorker({ root, main, streams: join(root, "streams.json"), outfile: module });
  const edge = {
    main,
    compatibilityDate: "2026-10-20",
    compatibilityFlags: ["no_web_socket_compression"],
    vars: {},
    secrets: [],
    objects: Object.entries(objects).map(([binding, className]) => ({ binding, className, stores: true })),
  };
  const configFile = join(folder, "workerd.capnp");
  writeFileSync(configFile, workerdConfig(edge, { module, storage, host: "127.0.0.1", port: 0, vars }));
  const lines: string[] = [];
  const workerd = runWorkerd(configFile, {}, (line) => lines.push(line));
  const port = await Promise.race([
    workerd.listening,
    workerd.ended.then(({ how }) => Promise.reject(new Error(`workerd ${how}:\n${lines.join("\n")}`))),
  ]);
  return {
    url: `http://127.0.0.1:${port}`,
    evict: () => Promise.reject(new Error("nobody can evict an object there")),
    logs: () => [...lines],
    close: async () => {
      await workerd.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

async function startOnWorkerd({ main, objects, vars = {} }: WorkerToStart): Promise<Started> {
  process.env.WRANGLER_SEND_METRICS = "false";
  const folder = mkdtempSync(join(tmpdir(), "workerd-"));
  const server = createTestHarness({
    root: folder,
    workers: [
      {
        config: {
          name: "edge",
          main,
          compatibility_date: "2026-10-20",
          durable_objects: {
            bindings: Object.entries(objects).map(([name, class_name]) => ({ name, class_name })),
          },
          migrations: [{ tag: "v1", new_sqlite_classes: Object.values(objects) }],
          vars: { ...vars },
        },
      },
    ],
  });
  const { url } = await server.listen();
  const worker = server.getWorker();
  return {
    url: url.origin,
    evict: (className, name, webSockets = "hibernate") =>
      worker.evictDurableObject(className, { name, webSockets }),
    logs: () => server.getLogs().map((log) => log.message),
    close: async () => {
      await server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function startOnNode({ main, objects, vars = {}, storage }: WorkerToStart): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), "node-"));
  const module = join(folder, "worker.cjs");
  await bundleWorker({ root, main, streams: join(root, "streams.json"), outfile: module, format: "cjs" });
  const settings: WorkerSettings = {
    module,
    storage: storage ?? join(folder, "objects"),
    objects: Object.entries(objects).map(([binding, className]) => ({ binding, className, stores: true })),
    env: vars,
  };
  const child = fork(join(import.meta.dirname, "node-runtime-process.ts"), [JSON.stringify(settings)], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream as Readable }).on("line", (line) => lines.push(line));
  let isWanted = true;
  const ended = once(child, "close").then(() => {
    const problem = `the runtime on Node ended:\n${lines.join("\n")}`;
    // Whoever asks it next hears only that nobody is there.
    if (isWanted) console.error(problem);
    throw new Error(problem);
  });
  ended.catch(() => undefined);
  const [{ port }] = (await Promise.race([once(child, "message"), ended])) as [{ port: number }];
  let evictions = 0;
  return {
    url: `http://127.0.0.1:${port}`,
    async evict(className, name, webSockets = "hibernate") {
      const number = ++evictions;
      const done = new Promise<void>((resolve) => {
        const hear = (told: { readonly number?: number }) => {
          if (told.number !== number) return;
          child.off("message", hear);
          resolve();
        };
        child.on("message", hear);
      });
      child.send({ number, className, name, webSockets } satisfies Eviction);
      await Promise.race([done, ended]);
    },
    logs: () => [...lines],
    close: async () => {
      isWanted = false;
      child.kill("SIGKILL");
      await ended.catch(() => undefined);
      rmSync(folder, { recursive: true });
    },
  };
}
