/** What a rig is made of, each part started: Kafka, edges, and origins that aren't started yet. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newUplinkKey } from "../support/deployment.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { Certificates } from "./certificates.ts";
import { Cluster } from "./cluster.ts";
import { type Crew, Crews } from "./crews.ts";
import { EdgeProcess } from "./edge-process.ts";
import { FakedClock } from "./faked-clock.ts";
import { OriginProcess } from "./origin-process.ts";
import type { Rig, RigSettings } from "./rig.ts";
import { Secret } from "./secret.ts";
import { SmallDisk } from "./small-disk.ts";
import { streamsJson, TOPIC_NAMES, Topics } from "./topics.ts";

const CLIENT_PROXIES = 4;
const DISK_MEGABYTES = 768;
/** The least that an origin takes. */
export const INDEX_BYTES = 16 * 1024 ** 2;
const KAFKA_CONFIG = {
  // Leaders go back to the first replica by themselves, so that moving that one moves the leader.
  "auto.leader.rebalance.enable": "true",
  "leader.imbalance.check.interval.seconds": 1,
  "leader.imbalance.per.broker.percentage": 0,
  // What is late by Kafka's own patience would only make a run longer.
  "log.cleaner.backoff.ms": 500,
  // The cleaner wipes all of it each time, which by default takes more of a broker than all its records.
  "log.cleaner.dedupe.buffer.size": 2 * 1024 ** 2,
  "quota.window.num": 3,
  "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
};

export type Parts = Pick<
  Rig,
  "cluster" | "topics" | "edges" | "crews" | "originClock" | "disks" | "secret" | "certificates" | "wrong"
> & {
  readonly clients: readonly TcpProxy[];
};

export type Undo = () => unknown;

/** In reverse; what fails hinders nothing else. */
export async function undoAll(undo: Undo[]): Promise<void> {
  for (let one = undo.pop(); one !== undefined; one = undo.pop())
    await Promise.resolve(one()).catch((error: Error) => process.stderr.write(`${error.message}\n`));
}

export async function parts(settings: RigSettings, undo: Undo[]): Promise<Parts> {
  const folder = mkdtempSync(join(tmpdir(), "fault-"));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  const open = (count: number) =>
    Promise.all(
      Array.from({ length: count }, async () => {
        const proxy = await TcpProxy.open();
        undo.push(() => proxy.close());
        return proxy;
      }),
    );
  const clients = await open(CLIENT_PROXIES);
  const certificates = new Certificates(folder);
  const cluster = await Cluster.start(settings.brokers, KAFKA_CONFIG, () => certificates.config);
  undo.push(() => cluster.stop());
  const { kafka, admin } = cluster;
  const secret = await Secret.set(kafka, join(folder, "password"));
  const topics = new Topics(kafka, admin);
  for (const topic of TOPIC_NAMES) await topics.create(topic);

  const streams = join(folder, "streams.json");
  writeFileSync(streams, streamsJson());
  const nameOf = (origin: number, slices: number) => `origin-${origin}-of-${slices}`;
  const names = [1, 2].flatMap((slices) =>
    Array.from({ length: slices * settings.origins }, (_, i) => nameOf(i, slices)),
  );
  const edges: EdgeProcess[] = [];
  /** Of each edge, by the name of the origin. */
  const keys: ReadonlyMap<string, string>[] = [];
  for (const [i, runtime] of settings.runtimes.entries()) {
    const own = new Map(names.map((name) => [name, newUplinkKey(name)]));
    const edge = await EdgeProcess.start({
      runtime,
      folder: join(folder, `edge-${i}`),
      streams,
      uplinkKeys: [...own.values()].join(","),
      hear: (line) => settings.hear?.(`edge ${i}, ${runtime}`, line),
    });
    undo.push(() => edge.kill());
    edges.push(edge);
    keys.push(own);
  }
  for (const [i, proxy] of clients.entries()) proxy.target = edges[i % edges.length]?.port;
  const publishSecret = randomBytes(32).toString("base64");
  const disks: (SmallDisk | string)[] = [];
  const wrong: string[] = [];
  const originClock = new FakedClock(join(folder, "origin-clock"));
  const crew = async (slices: number): Promise<Crew> => {
    const first = join(folder, `origin-0-of-${slices}`);
    const disk = await SmallDisk.mount(first, DISK_MEGABYTES);
    disks.push(disk);
    if (typeof disk !== "string") undo.push(() => disk.unmount());
    const count = slices * settings.origins;
    const uplinks = await Promise.all(edges.map(() => open(count)));
    for (const [edge, proxies] of uplinks.entries())
      for (const proxy of proxies) proxy.target = edges[edge]?.port;
    const origins = Array.from({ length: count }, (_, i) => {
      const name = nameOf(i, slices);
      // The second of each slice.
      const hasAccount = i >= slices;
      const env = {
        ...process.env,
        ...(i === 0 ? originClock.env : {}),
        STREAMS: streams,
        ORIGIN_SLICE: `${(i % slices) + 1}/${slices}`,
        ...(hasAccount && { ...secret.env, ...certificates.env }),
        INDEX_MAX_BYTES: String(INDEX_BYTES),
        PUBLISH_SECRET: publishSecret,
        KAFKA_BROKERS: cluster.bootstrap(hasAccount),
      };
      const dialled = uplinks.map(
        (proxies, edge) => `http://127.0.0.1:${proxies[i]?.port} ${keys[edge]?.get(name)}`,
      );
      return new OriginProcess(
        name,
        { dataDir: join(folder, name), edges: dialled, env },
        {
          hear: (line) => settings.hear?.(name, line),
          wrong: (problem) => wrong.push(problem),
        },
      );
    });
    return { slices, origins, uplinks };
  };
  const crews = new Crews(edges, await crew(1), await crew(2));
  return { clients, cluster, topics, edges, crews, originClock, disks, secret, certificates, wrong };
}
