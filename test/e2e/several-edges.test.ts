/** Two edges, one on workerd and one on Node, and two origins: each leads at one of them, and both dial both. */
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { type Child, Deployment, FIRST_ORIGIN, pathOf, utf8 } from "../support/deployment.ts";
import { freePort } from "../support/ports.ts";
import { PublishingLoad, receivedBy } from "../support/publishing-load.ts";

const SECOND_ORIGIN = "second";
const PUBLISH_SECRET = "a secret of the tests of 32 bytes or more";

interface Shard {
  readonly origin: string | null;
  readonly standbys: readonly { readonly origin: string; readonly ready: boolean }[];
}

let deployment: Deployment;
let workerd: string;
let node: string;
let second: Child;
let statusPort: number;

beforeAll(async () => {
  statusPort = await freePort();
  deployment = await Deployment.start({
    topics: { t: { partitions: 3, stream: { publish: "public" } } },
    originEnv: { PUBLISH_SECRET },
    edgeEnv: { RUNTIME: "workerd" },
    moreEdges: [{ RUNTIME: "node" }],
  });
  [workerd = "", node = ""] = deployment.urls;
  deployment.dials(SECOND_ORIGIN, [node]);
  second = deployment.startOrigin(SECOND_ORIGIN, { STATUS_PORT: String(statusPort) });
  const isThere = ({ standbys }: Shard) => standbys.some(({ origin }) => origin === SECOND_ORIGIN);
  await eventually(async () => (await shardsAt(node)).every(isThere), "the second origin is there");
  await leadApart();
});

afterAll(async () => {
  await second?.stop("SIGKILL");
  await deployment?.stop();
});

/** For a while each has an edge to itself, so that it leads there when both have both. */
async function leadApart(): Promise<void> {
  dial([workerd], [node]);
  await eventually(async () => {
    const [of, ofOther] = await Promise.all(deployment.urls.map(leaders));
    return of?.every((name) => name === FIRST_ORIGIN) && ofOther?.every((name) => name === SECOND_ORIGIN);
  }, "each leads at an edge of its own");
  dial(deployment.urls, deployment.urls);
  await standBy();
}

/** From now on the first origin, and the second, dial these edges. */
function dial(first: readonly string[], ofSecond: readonly string[]): void {
  deployment.dials(FIRST_ORIGIN, first);
  deployment.dials(SECOND_ORIGIN, ofSecond);
  for (const origin of [deployment.origin, second]) origin?.process.kill("SIGHUP");
}

async function shardsAt(url: string): Promise<readonly Shard[]> {
  return ((await (await fetch(`${url}/$/health`)).json()) as { shards: Shard[] }).shards;
}

const leaders = async (url: string) => (await shardsAt(url)).map(({ origin }) => origin);

/** At each edge one leads and the other stands by. */
async function standBy(): Promise<void> {
  const isPair = ({ origin, standbys }: Shard) =>
    origin !== null && standbys.length === 1 && standbys.every(({ ready }) => ready);
  await eventually(
    async () => {
      const shards = await Promise.all(deployment.urls.map(shardsAt));
      return shards.flat().every(isPair);
    },
    "at each edge one leads and the other stands by",
    100_000,
  );
}

async function publish(url: string, path: string, body: string, key?: string) {
  const headers = key === undefined ? {} : { "Idempotency-Key": key };
  const answer = await fetch(`${url}${path}`, { method: "POST", body, headers });
  return (await answer.json()) as { position?: string; error?: { code: string; retry: boolean } };
}

/** The same publish until its position is known, through one edge and then the other, by turns. */
async function published(urls: readonly string[], path: string, body: string, key: string): Promise<string> {
  let position: string | undefined;
  await eventually(async () => {
    for (const url of urls) {
      const said = await publish(url, path, body, key);
      if (said.error !== undefined && !said.error.retry) throw new Error(JSON.stringify(said));
      position ??= said.position;
    }
    return position !== undefined;
  }, `a position of ${key}`);
  return position ?? "";
}

function subscribe(path: string, from: string | undefined, url: string) {
  const subscriber = deployment.subscribe(path, from, url);
  onTestFinished(() => subscriber.close());
  return subscriber;
}

test("each origin leads at another edge", async () => {
  expect(new Set(await leaders(workerd))).toEqual(new Set([FIRST_ORIGIN]));
  expect(new Set(await leaders(node))).toEqual(new Set([SECOND_ORIGIN]));
});

describe("publishing", () => {
  test("[D3] [W5] what comes through one edge is seen on both, at the position of its acknowledgement", async () => {
    const path = pathOf("t", "seen");
    const subscribers = deployment.urls.map((url) => subscribe(path, "-", url));
    await Promise.all(subscribers.map((subscriber) => subscriber.verdict()));
    const expected: { value: string; position: string | undefined }[] = [];

    for (const [i, url] of [workerd, node, node, workerd].entries())
      expected.push({ value: String(i), position: (await publish(url, path, String(i))).position });

    for (const subscriber of subscribers) {
      await subscriber.until(({ updates }) => updates.length >= 4, "all four");
      expect(receivedBy(subscriber)).toEqual(expected);
    }
    for (const url of deployment.urls)
      expect((await fetch(`${url}${path}`)).headers.get("ETag")).toBe(`"${expected.at(-1)?.position}"`);
  });

  test("[D3] [W3] the same publish through both edges at once is one record, with one position", async () => {
    const path = pathOf("t", "both");
    const expected: { value: string; position: string }[] = [];

    for (let i = 0; i < 20; i++) {
      const [one, other] = await Promise.all(
        [[workerd, node] as const, [node, workerd] as const].map((urls) =>
          published(urls, path, String(i), `both-${i}`),
        ),
      );
      expect(other).toBe(one);
      expected.push({ value: String(i), position: one ?? "" });
    }

    const subscriber = subscribe(path, "-", node);
    await subscriber.until(({ updates }) => updates.length >= 20, "all of them");
    expect(receivedBy(subscriber)).toEqual(expected);
    const reused = await publish(node, path, "another", "both-0");
    expect(reused.error?.code).toBe("id_reused");
  });

  test("[D3] [W8] an origin that leads at one edge is killed while clients publish through both: each is one record, in order", async () => {
    const paths = deployment.urls.map((_, i) => [pathOf("t", `load-${i}-a`), pathOf("t", `load-${i}-b`)]);
    const loads = deployment.urls.map((url, i) => new PublishingLoad(url, paths[i] ?? []));
    const more = async (count: number) => {
      const from = loads.map((load) => load.count);
      await eventually(
        () => loads.every((load, i) => load.count >= (from[i] ?? 0) + count),
        `${count} publishes at each edge`,
        120_000,
      );
    };
    await more(20);

    await deployment.origin?.stop("SIGKILL");
    await more(20);
    deployment.origin = deployment.startOrigin();
    await standBy();
    await more(20);
    await Promise.all(loads.map((load) => load.end()));

    for (const [i, load] of loads.entries())
      for (const { path, acknowledged } of load.senders) {
        // At the other edge than the one through which they came.
        const subscriber = subscribe(path, "-", deployment.urls[1 - i] ?? "");
        await subscriber.until(({ updates }) => updates.length >= acknowledged.length, "all of them");
        expect(receivedBy(subscriber)).toEqual(acknowledged);
      }
  }, 240_000);
});

describe("subscribing", () => {
  test("[D2] [P5] a position of one edge is one of the other: a client that moves has missed nothing", async () => {
    const path = pathOf("t", "moves");
    let written = 0;
    const produce = () => deployment.produce("t", [{ key: utf8("moves"), value: utf8(String(written++)) }]);
    let from = "-";
    const values: string[] = [];

    for (const url of [workerd, node, workerd, node]) {
      // One while it is nowhere, and one while it is there.
      produce();
      const subscriber = subscribe(path, from, url);
      expect(await subscriber.verdict()).toMatchObject({ recovered: true });
      produce();
      await subscriber.until(({ updates }) => updates.length === 2, "both");
      values.push(...subscriber.updates.map(({ value }) => String(value)));
      expect(subscriber.violations).toEqual([]);
      from = subscriber.position;
      await subscriber.close();
    }

    expect(values).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
  });

  test("[D2] [R5] an edge whose origin lags waits with its verdict for what the other edge has sent", async () => {
    const path = pathOf("t", "ahead");
    const ahead = subscribe(path, "-", workerd);
    await ahead.verdict();
    await leadApart();
    second.process.kill("SIGSTOP");
    try {
      deployment.produce("t", [{ key: utf8("ahead"), value: utf8("1") }]);
      await ahead.until(({ updates }) => updates.length === 1, "what was written");
      const behind = subscribe(path, ahead.position, node);
      await once(behind.socket, "open");
      second.process.kill("SIGCONT");

      expect(await behind.verdict()).toMatchObject({ recovered: true, position: ahead.position });
      expect(behind.updates).toEqual([]);
      deployment.produce("t", [{ key: utf8("ahead"), value: utf8("2") }]);
      await behind.until(({ updates }) => updates.length === 1, "what was written later");
      expect(behind.violations).toEqual([]);
    } finally {
      second.process.kill("SIGCONT");
    }
  });
});

test("[D1] an edge that is away holds up no other; the origin says which it is, and everything is there when it is back", async () => {
  const path = pathOf("t", "away");
  const produce = (value: string) => deployment.produce("t", [{ key: utf8("away"), value: utf8(value) }]);
  const [there, cut] = [subscribe(path, "-", node), subscribe(path, "-", workerd)];
  await Promise.all([there.verdict(), cut.verdict()]);
  const ready = async () => {
    const answer = await fetch(`http://127.0.0.1:${statusPort}/readyz`);
    return { status: answer.status, text: await answer.text() };
  };
  await eventually(async () => (await ready()).status === 200, "ready");

  await deployment.edge?.stop("SIGKILL");
  produce("1");
  await there.until(({ updates }) => updates.length === 1, "what was written without the other edge");
  await eventually(async () => (await ready()).status === 503, "not ready");
  const { text } = await ready();
  expect(text).toContain(`there is no uplink to ${workerd}`);
  expect(text).not.toContain(`there is no uplink to ${node}`);

  deployment.edge = deployment.startEdge();
  await standBy();
  produce("2");
  const back = subscribe(path, cut.position, workerd);
  await back.until(({ updates }) => updates.length === 2, "both");
  expect(await back.verdict()).toMatchObject({ recovered: true });
  await there.until(({ updates }) => updates.length === 2, "both");
  await eventually(async () => (await ready()).status === 200, "ready again");
});
