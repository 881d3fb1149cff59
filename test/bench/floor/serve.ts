/** Runs a floor: the bare Worker on workerd, as `npm run edge` runs the edge, or the bare consumer on Node. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "smol-toml";
import { bundlePage, bundleWorker } from "../../../edge/local/bundle.ts";
import { runWorkerd } from "../../../edge/local/workerd.ts";
import { readEdgeConfig, workerdConfig } from "../../../edge/local/workerd-config.ts";

const root = join(import.meta.dirname, "../../..");

export interface Floor {
  readonly url: string;
  /** Of the server's process, where it is one that was started here; workerd is found by its name. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** With the date and flags of wrangler.toml, and a disk for the same hop, so that both Workers have the same runtime. */
export async function serveWorkerdFloor(port: number): Promise<Floor> {
  const folder = mkdtempSync(join(tmpdir(), "floor-"));
  const edge = readEdgeConfig(parse(readFileSync(join(root, "wrangler.toml"), "utf8")));
  const module = join(folder, "worker.js");
  const storage = join(folder, "objects");
  const configFile = join(folder, "workerd.capnp");
  mkdirSync(storage);
  await bundlePage(root);
  await bundleWorker({
    root,
    main: "test/bench/floor/worker.ts",
    streams: join(root, "streams.json"),
    outfile: module,
  });
  const objects = [
    { binding: "BROADCAST", className: "Broadcast", stores: false },
    { binding: "SHARD", className: "Shard", stores: true },
  ];
  const bare = { ...edge, secrets: [], objects };
  writeFileSync(configFile, workerdConfig(bare, { module, storage, host: "127.0.0.1", port, vars: {} }));
  const lines: string[] = [];
  const workerd = runWorkerd(configFile, {}, (line) => lines.push(line));
  await Promise.race([
    workerd.listening,
    workerd.ended.then(({ how }) => Promise.reject(new Error(`workerd ${how}: ${lines.join("\n")}`))),
  ]);
  return {
    url: `http://127.0.0.1:${port}`,
    pid: workerd.pid,
    stop: async () => {
      await workerd.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function serveKafkaFloor(brokers: readonly string[], topic: string): Promise<Floor> {
  return serveNodeFloor("kafka-ws.ts", [brokers.join(","), topic]);
}

export function serveBatchingFloor(): Promise<Floor> {
  return serveNodeFloor("batching-ws.ts", []);
}

async function serveNodeFloor(script: string, parameters: readonly string[]): Promise<Floor> {
  const child = fork(join(import.meta.dirname, script), parameters);
  const ended = once(child, "exit");
  const [port] = await Promise.race([
    once(child, "message"),
    ended.then(() => Promise.reject(new Error(`the floor's ${script} ended`))),
  ]);
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid,
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
