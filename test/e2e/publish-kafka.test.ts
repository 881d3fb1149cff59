/** Publishing through the edge to a real Kafka, by two slices with two origins each. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { type Child, Deployment, FIRST_ORIGIN } from "../support/deployment.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { createTopic } from "../support/kafka-topics.ts";
import { publishWhile } from "../support/publish-while.ts";
import { receivedBy } from "../support/publishing-load.ts";
import { SocketLoad } from "../support/socket-load.ts";
import { PUBLISH_SECRET } from "../support/two-origins.ts";
import { describeWithKafka } from "../support/with-kafka.ts";

const PARTITIONS = 4;
const SLICES = 2;
/** Each origin, and the slice that it has. */
const NAMES = new Map([
  [FIRST_ORIGIN, 1],
  ["slice-2", 2],
  ["second", 1],
  ["third", 2],
]);
const PATHS = Array.from({ length: 12 }, (_, i) => `/orders/${i}`);

interface SliceHealth {
  readonly slice: string;
  readonly origin: string | null;
  readonly standbys: readonly { readonly origin: string; readonly ready: boolean }[];
}

describeWithKafka("publishing to Kafka:", () => {
  let kafka: KafkaBroker;
  let deployment: Deployment;
  const origins = new Map<string, Child>();

  beforeAll(async () => {
    kafka = await KafkaBroker.start();
    const admin = kafka.client().admin();
    await admin.connect();
    await createTopic(admin, "orders", PARTITIONS);
    await createTopic(admin, "late", PARTITIONS);
    await createTopic(admin, "small", PARTITIONS, { "max.message.bytes": "1000" });
    await admin.disconnect();
    deployment = await Deployment.start({
      topics: {
        orders: { stream: { publish: "public" } },
        late: { stream: { publish: "public", start: "latest" } },
        small: { stream: { publish: "public" } },
      },
      originEnv: { PUBLISH_SECRET, KAFKA_BROKERS: kafka.bootstrap },
      slices: SLICES,
    });
    for (const [i, name] of [FIRST_ORIGIN, "slice-2"].entries()) {
      const origin = deployment.slices[i];
      if (origin !== undefined) origins.set(name, origin);
    }
    for (const name of ["second", "third"]) start(name);
    await eventually(async () => (await slices()).every(isDoubled), "each slice has a standby");
  });
  afterAll(async () => {
    await Promise.all([...origins.values()].map((origin) => origin.stop("SIGKILL")));
    await deployment?.stop();
    await kafka?.stop();
  });

  function start(name: string): void {
    origins.set(name, deployment.startOrigin(name, { ORIGIN_SLICE: `${NAMES.get(name)}/${SLICES}` }));
  }

  /** Of every shard. */
  async function slices(): Promise<readonly SliceHealth[]> {
    const health = (await (await fetch(`${deployment.url}/$/health`)).json()) as {
      shards: { slices: SliceHealth[] }[];
    };
    return health.shards.flatMap((shard) => shard.slices);
  }

  const isDoubled = ({ origin, standbys }: SliceHealth) =>
    origin !== null && standbys.some(({ ready }) => ready);

  async function publish(path: string, body: string, key?: string) {
    const headers: Record<string, string> = key === undefined ? {} : { "Idempotency-Key": key };
    const answer = await fetch(`${deployment.url}${path}`, { method: "POST", body, headers });
    const said = (await answer.json()) as { position?: string; error?: { code: string; message: string } };
    return { status: answer.status, position: said.position, error: said.error };
  }

  test("[W5] [W3] subscribers see what was published at the position of its acknowledgement, and the same again is one record", async () => {
    for (const path of PATHS) {
      const subscriber = deployment.subscribe(path);
      await subscriber.verdict();
      const first = await publish(path, "1", "same");
      const again = await publish(path, "1", "same");
      await publish(path, "2");
      await subscriber.until(({ updates }) => updates.length >= 2, "two updates");

      expect([first.status, again]).toEqual([201, first]);
      expect(receivedBy(subscriber)[0]).toEqual({ position: first.position, value: "1" });
      expect(receivedBy(subscriber).map(({ value }) => value)).toEqual(["1", "2"]);
      await subscriber.close();
    }
  });

  test("[W4] what is larger than the topic takes is refused with what it says, and the next publish works", async () => {
    const large = await publish("/small/a", "x".repeat(5_000));

    expect([large.status, large.error?.code]).toEqual([413, "too_large"]);
    expect((await publish("/small/a", "x")).status).toBe(201);
  });

  const doubled = () =>
    eventually(async () => (await slices()).every(isDoubled), "each slice has a standby", 60_000);

  /** Keys of a run of their own. */
  const pathsOf = (run: string) => PATHS.map((path) => `${path}-${run}`);

  test("[W8] [W9] [W3] origins are killed while clients publish: each publish is one record, where it was acknowledged, and each sender's are in order", async () => {
    await publishWhile(deployment, pathsOf("killed"), async (published) => {
      for (const name of [FIRST_ORIGIN, "slice-2", "second"]) {
        await origins.get(name)?.stop("SIGKILL");
        await published(50);
        start(name);
        await published(20);
        await doubled();
      }
    });
  }, 180_000);

  test("[W24] [W28] so it is of what clients publish on sockets, many at once and in order", async () => {
    await publishWhile(
      deployment,
      pathsOf("sockets"),
      async (published) => {
        for (const name of [FIRST_ORIGIN, "third"]) {
          await origins.get(name)?.stop("SIGKILL");
          await published(50);
          start(name);
          await published(20);
          await doubled();
        }
      },
      SocketLoad,
    );
  }, 180_000);

  test("[W8] [W9] so it is if a writer hangs, and wakes when others have taken over", async () => {
    await publishWhile(deployment, pathsOf("stopped"), async (published) => {
      for (const name of origins.keys()) {
        origins.get(name)?.process.kill("SIGSTOP");
        await published(200);
        origins.get(name)?.process.kill("SIGCONT");
        await published(20);
        await doubled();
      }
    });
  }, 180_000);

  test("[W3] a publish that comes again is the same though every index is gone, and all origins begin at the end", async () => {
    const paths = PATHS.map((_, i) => `/late/${i}`);
    const first: Awaited<ReturnType<typeof publish>>[] = [];
    for (const path of paths) first.push(await publish(path, path, "before"));
    for (const [name, origin] of origins) {
      await origin.stop("SIGKILL");
      const folder = name === FIRST_ORIGIN ? deployment.dataDir : join(deployment.dataDir, name);
      rmSync(join(folder, "origin"), { recursive: true });
    }
    for (const name of NAMES.keys()) start(name);
    await doubled();

    for (const [i, path] of paths.entries())
      await eventually(async () => {
        const again = await publish(path, path, "before");
        if (again.status !== 201) return false;
        expect(again).toEqual(first[i]);
        return true;
      }, "it is answered");
  }, 180_000);

  test("[W9] [W3] and if Kafka dies and comes back", async () => {
    await publishWhile(deployment, pathsOf("down"), async () => {
      await kafka.kill();
      await kafka.restart();
    });
  }, 180_000);
});
