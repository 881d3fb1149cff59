/**
 * Runs Centrifugo as its documentation says: its consumer reads Kafka in the mode that publishes records as they are, each
 * channel keeps its last publications, and whoever comes back is sent what it missed. Whatever isn't here has Centrifugo's
 * own default: the engine in memory, pings every 25 s, 100 records a poll, no compression.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../support/deadline.ts";
import type { KafkaBroker } from "../../support/kafka-broker.ts";
import { freePort } from "../../support/ports.ts";
import type { Floor } from "../floor/serve.ts";

/** Centrifugo can't be started; the message says what is missing. */
export class NoCentrifugo extends Error {}

const BUILD = "go install github.com/centrifugal/centrifugo/v6@v6.9.1";

/** The program that `CENTRIFUGO` names. Throws NoCentrifugo. */
export function centrifugoProgram({ CENTRIFUGO: path }: NodeJS.ProcessEnv): string {
  if (path === undefined || path === "")
    throw new NoCentrifugo(
      `CENTRIFUGO is missing: the path of Centrifugo's program, as in CENTRIFUGO=~/go/bin/centrifugo; "${BUILD}" builds it`,
    );
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new NoCentrifugo(`CENTRIFUGO must be the path of Centrifugo's program: ${path} can't be run`);
  }
  return path;
}

interface Reading {
  readonly topic: string;
  readonly brokers: readonly string[];
  readonly group: string;
  readonly port: number;
}

/** The whole of its configuration. The topic is the namespace of its keys' channels; history is as long as our windows. */
export function centrifugoConfig({ topic, brokers, group, port }: Reading) {
  return {
    http_server: { address: "127.0.0.1", port },
    health: { enabled: true },
    usage_stats: { disabled: true },
    client: { allow_anonymous_connect_without_token: true },
    channel: {
      namespaces: [
        {
          name: topic,
          history_size: 100,
          history_ttl: "3600s",
          force_recovery: true,
          allow_subscribe_for_client: true,
          allow_subscribe_for_anonymous: true,
        },
      ],
    },
    consumers: [
      {
        enabled: true,
        name: "bench",
        type: "kafka",
        kafka: { brokers, topics: [topic], consumer_group: group, publication_data_mode: { enabled: true } },
      },
    ],
  };
}

/** Resolves when its consumer has all partitions of the topic. Throws NoCentrifugo where it isn't there. */
export async function serveCentrifugo(kafka: KafkaBroker, topic: string): Promise<Floor> {
  const program = centrifugoProgram(process.env);
  const folder = mkdtempSync(join(tmpdir(), "centrifugo-"));
  const port = await freePort();
  const group = `centrifugo-${topic}`;
  const file = join(folder, "config.json");
  writeFileSync(file, JSON.stringify(centrifugoConfig({ topic, brokers: kafka.brokers, group, port })));
  const child = spawn(program, ["--config", file], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit");
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text: Buffer) => (said = (said + text).slice(-2_000)));
  const stop = async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    const early = ended.then(() => Promise.reject(new Error(`Centrifugo ended: ${said}`)));
    await Promise.race([early, ready(kafka, group, url)]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, pid: child.pid, stop };
}

async function ready(kafka: KafkaBroker, group: string, url: string): Promise<void> {
  const admin = kafka.client().admin();
  await admin.connect();
  try {
    await eventually(async () => (await fetch(`${url}/health`)).ok, "Centrifugo is healthy");
    await eventually(async () => {
      const { groups } = await admin.describeGroups([group]);
      return groups[0]?.state === "Stable" && groups[0].members.length === 1;
    }, "Centrifugo's consumer has joined its group");
  } finally {
    await admin.disconnect();
  }
}
