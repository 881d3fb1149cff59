/** `npm run edge -- --runtime node --workers 2`: two processes on one port, and an origin that dials both by one address. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Administrator } from "../support/administrator.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { freePort } from "../support/ports.ts";
import { allGone, commandOf, descendants } from "../support/product.ts";
import { receivedBy } from "../support/publishing-load.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

interface Shard {
  readonly edge?: number;
}

let deployment: Deployment;
let statusPort: number;
/** Of somebody whose tokens are revoked by one of the tests. */
let token: string;

beforeAll(async () => {
  statusPort = await freePort();
  deployment = await Deployment.start({
    topics: {
      t: { partitions: 3, stream: { publish: "public" } },
      private: { stream: { subscribe: "token" } },
    },
    originEnv: {
      PUBLISH_SECRET: "a secret of the tests of 32 bytes or more",
      STATUS_PORT: String(statusPort),
    },
    edgeEnv: { RUNTIME: "node", WORKERS: "2", AUTH_ISSUERS },
  });
  token = await tokenOf({ subject: "alice", subscribe: ["/private/*"] });
});

afterAll(() => deployment?.stop());

/** On a connection of its own, so that any of them may accept it. */
const ask = (path: string, init: RequestInit = {}) =>
  fetch(`${deployment.url}${path}`, { ...init, headers: { Connection: "close", ...init.headers } });

async function shards(): Promise<readonly Shard[]> {
  return ((await (await ask("/$/health")).json()) as { shards: Shard[] }).shards;
}

async function healthy(edges: number): Promise<void> {
  await eventually(
    async () => {
      const answer = await ask("/$/health");
      const { shards } = (await answer.json()) as { shards: Shard[] };
      return answer.status === 200 && new Set(shards.map(({ edge = 0 }) => edge)).size === edges;
    },
    () => `${edges} edges that have an origin\n${deployment.edge?.output}`,
    100_000,
  );
}

/** Subscribers, until each worker has one or more. */
async function everywhere(subscribe: () => RawSubscriber): Promise<RawSubscriber[]> {
  const subscribers: RawSubscriber[] = [];
  const workers = [pidOf(0), pidOf(1)];
  while (workers.some((pid) => !subscribers.some((subscriber) => isAt(subscriber, pid)))) {
    const subscriber = subscribe();
    subscribers.push(subscriber);
    onTestFinished(() => subscriber.close());
    await subscriber.verdict();
  }
  return subscribers;
}

/** By number. */
function pidOf(worker: number): number {
  const file = join(deployment.dataDir, "edge", `node${worker || ""}.json`);
  return descendants(deployment.edge?.process.pid ?? 0).find((pid) => commandOf(pid).includes(file)) ?? 0;
}

/** Whether the other end of its connection is this process's, as the kernel knows it. */
function isAt({ socket }: RawSubscriber, pid: number): boolean {
  const { localPort } = (socket as unknown as { readonly _socket: Socket })._socket;
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");
  const ends = new RegExp(`:${hex(Number(new URL(deployment.url).port))} \\S+:${hex(localPort ?? 0)} 01 `);
  const line = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .find((line) => ends.test(line));
  const [, , , , , , , , , inode] = line?.trim().split(/\s+/) ?? [];
  const files = readdirSync(`/proc/${pid}/fd`);
  return files.some((file) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${file}`) === `socket:[${inode}]`;
    } catch {
      return false;
    }
  });
}

test("[D5] what is published through either is seen at both, at the position of its acknowledgement", async () => {
  const path = pathOf("t", "seen");
  const subscribers = await everywhere(() => deployment.subscribe(path, "-"));
  const expected: { value: string; position: string }[] = [];

  for (let i = 0; i < 8; i++) {
    const answer = await ask(path, { method: "POST", body: String(i) });
    const { position } = (await answer.json()) as { position: string };
    expected.push({ value: String(i), position });
  }

  for (const subscriber of subscribers) {
    await subscriber.until(({ updates }) => updates.length >= expected.length, "all of them");
    expect(receivedBy(subscriber)).toEqual(expected);
    expect(subscriber.violations).toEqual([]);
  }
});

test("[D5] [D4] a token that is revoked counts at neither", async () => {
  const path = pathOf("private", "a");
  deployment.produce("private", [{ key: utf8("a"), value: utf8("1") }]);
  const headers = { Authorization: `Bearer ${token}` };
  const subscribers = await everywhere(() => {
    const subscriber = new RawSubscriber(`${deployment.url.replace("http", "ws")}${path}`, headers);
    subscriber.socket.on("open", () => subscriber.send('{"ping":1}'));
    return subscriber;
  });

  const admin = new Administrator(deployment.url, await tokenOf({ subject: "boss", admin: true }));
  expect((await admin.revoke({ subject: "alice" })).status).toBe(200);

  for (const subscriber of subscribers)
    await subscriber.until(({ closed }) => closed?.code === 4519, "it is closed");
  for (let i = 0; i < 8; i++) expect((await ask(path, { headers })).status).toBe(401);
});

test("[D5] what is counted is counted of both, whichever is asked", async () => {
  const count = async () => (await (await ask("/$/operations")).json()) as Record<string, number>;
  const path = pathOf("t", "counted");
  const before = await count();

  const subscribers = await everywhere(() => deployment.subscribe(path));

  const fresh = (before["verdict.fresh"] ?? 0) + subscribers.length;
  for (let i = 0; i < 8; i++) {
    const { worker_request: requests = 0, "verdict.fresh": verdicts } = await count();
    expect(verdicts).toBe(fresh);
    // Whatever one asks of the other is none.
    expect(requests - (before.worker_request ?? 0)).toBe(subscribers.length + i + 1);
  }
  for (let i = 0; i < 8; i++)
    expect(await (await ask(`${path}?occupancy`)).json()).toEqual({ subscribers: subscribers.length });
});

test("[D5] one that is killed is replaced: its subscribers come back by position, those of the other notice nothing", async () => {
  const path = pathOf("t", "killed");
  let written = 0;
  const produce = () => deployment.produce("t", [{ key: utf8("killed"), value: utf8(String(written++)) }]);
  const subscribers = await everywhere(() => deployment.subscribe(path, "-"));
  produce();
  for (const subscriber of subscribers)
    await subscriber.until(({ updates }) => updates.length === 1, "the first");
  const killed = pidOf(1);
  const [cut, others] = [
    subscribers.filter((subscriber) => isAt(subscriber, killed)),
    subscribers.filter((subscriber) => !isAt(subscriber, killed)),
  ];

  process.kill(killed, "SIGKILL");
  produce();
  for (const subscriber of cut) await subscriber.until(({ closed }) => closed !== undefined, "it is cut off");
  produce();
  await eventually(() => ![0, killed].includes(pidOf(1)), "it is replaced");
  const values = new Map<RawSubscriber, readonly string[]>(others.map((subscriber) => [subscriber, []]));
  for (const gone of cut) {
    // It may be another one that accepts it, or the one that is new.
    const back = await eventually(async () => {
      const subscriber = deployment.subscribe(path, gone.position);
      onTestFinished(() => subscriber.close());
      await subscriber.until(
        ({ closed, verdicts }) => closed !== undefined || verdicts.length > 0,
        "an answer",
      );
      return subscriber.closed === undefined && subscriber;
    }, "it is back");
    expect(await back.verdict()).toMatchObject({ recovered: true });
    values.set(
      back,
      gone.updates.map(({ value }) => String(value)),
    );
  }
  await healthy(2);
  produce();

  for (const [subscriber, before] of values) {
    const seen = () => [...before, ...subscriber.updates.map(({ value }) => String(value))];
    await subscriber.until(() => seen().length >= 4, "all of them");
    expect(seen()).toEqual(["0", "1", "2", "3"]);
    expect([subscriber.violations, subscriber.closed]).toEqual([[], undefined]);
  }
  expect(deployment.edge?.output).toContain("worker 1 was ended by SIGKILL; it is started again in 0.25 s");
}, 120_000);

describe("[D5] the number of workers", () => {
  const dialled = async () => {
    const answer = await fetch(`http://127.0.0.1:${statusPort}/readyz`);
    const { edges } = (await answer.json()) as { edges: { edge: string }[] };
    return [answer.status, edges.map(({ edge }) => edge).sort()];
  };
  const named = (...numbers: number[]) => [
    deployment.url,
    ...numbers.map((number) => `${deployment.url}#${number}`),
  ];

  test.each([3, 1])(
    "is %s after a restart, all of which end before, and the origin follows",
    async (count) => {
      const workers = descendants(deployment.edge?.process.pid ?? 0);
      await deployment.edge?.stop("SIGTERM");
      await allGone(workers);
      expect(deployment.edge?.process.exitCode).toBe(0);

      deployment.edge = deployment.startEdge({ WORKERS: String(count) });

      await healthy(count);
      const numbers = Array.from({ length: count - 1 }, (_, i) => i + 1);
      await eventually(
        async () => JSON.stringify(await dialled()) === JSON.stringify([200, named(...numbers)]),
        () => `${count} are dialled`,
      );
      if (count === 1) expect((await shards()).every(({ edge }) => edge === undefined)).toBe(true);
      // What was revoked counts at one that is new, too.
      const headers = { Authorization: `Bearer ${token}` };
      for (let i = 0; i < 8; i++) expect((await ask(pathOf("private", "a"), { headers })).status).toBe(401);
      expect(
        JSON.parse(readFileSync(join(deployment.dataDir, "edge/node.json"), "utf8")).place?.count ?? 1,
      ).toBe(count);
    },
    120_000,
  );
});
