/** Many endpoints on one connection, with the product's own origin and workerd. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

const PATHS = Array.from({ length: 100 }, (_, i) => pathOf("t", `key-${i}`));

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: {
      t: { partitions: 3 },
      p: { partitions: 1, stream: { subscribe: "token", discover: "nobody" } },
    },
    edgeEnv: { AUTH_ISSUERS },
  });
}, 240_000);
afterAll(() => deployment?.stop());

const produce = (value: string) =>
  deployment.produce(
    "t",
    PATHS.map((_, i) => ({ key: utf8(`key-${i}`), value: utf8(JSON.stringify(value)) })),
  );
const connect = (headers: Record<string, string> = {}) =>
  new RawConnection(`${deployment.url.replace("http", "ws")}/$/connect?client=me`, headers).open();

async function received(client: RawConnection, values: readonly string[]): Promise<void> {
  await client.until(
    (one) => PATHS.every((path) => one.of(path).values.length >= values.length),
    `${values.length} updates of each endpoint`,
  );
  for (const path of PATHS) expect(client.of(path).values, path).toEqual(values);
  expect(client.violations).toEqual([]);
}

const created = async () => (await deployment.operations())["object_created.relay"] ?? 0;

test("[M3] [M6] [L12] a hundred endpoints on one connection get every update once and in order, in few messages", async () => {
  produce("first");
  const client = await connect();
  await client.answered(client.subscribe(PATHS));
  await received(client, ["first"]);
  const before = await deployment.operations();
  produce("second");
  produce("third");
  await received(client, ["first", "second", "third"]);

  const after = await deployment.operations();
  const sent = (after["websocket_message_out.relay"] ?? 0) - (before["websocket_message_out.relay"] ?? 0);
  // 200 updates.
  expect(sent).toBeLessThan(100);
  expect(after["object_created.endpoint"] ?? 0).toBe(0);
  client.close();
}, 120_000);

test("[M7] [M11] [S10] when workerd is killed every endpoint resumes from its position, and nothing is lost or doubled", async () => {
  const client = await connect();
  await client.answered(client.subscribe(PATHS));
  produce("before");
  await client.until(
    (one) => PATHS.every((path) => one.of(path).values.at(-1) === "before"),
    "the last before the crash",
  );
  await deployment.edge?.stop("SIGKILL");
  await client.until(({ closed }) => closed !== undefined, "the close");
  produce("meanwhile");
  deployment.edge = deployment.startEdge();
  await deployment.ready();
  produce("after");

  const back = await connect();
  await back.answered(back.subscribe(PATHS, client.positions()));
  await received(back, ["meanwhile", "after"]);
  for (const path of PATHS) expect(back.of(path).verdicts, path).toMatchObject([{ recovered: true }]);
  back.close();
}, 240_000);

test("[L14] a relay with a hundred endpoints is evicted when idle, and each update that wakes it arrives once", async () => {
  const client = await connect();
  await client.answered(client.subscribe(PATHS));
  await client.until((one) => PATHS.every((path) => one.of(path).values.length === 1), "the latest of each");
  const before = await created();
  const { rows_written: rows = 0 } = await deployment.operations();
  await eventually(async () => ((await deployment.operations()).rows_written ?? 0) > rows, "its rows");
  // The runtime evicts an idle object 10 s after its last event, and nothing tells us.
  await new Promise((resolve) => setTimeout(resolve, 13_000));
  produce("awake");
  await client.until(
    (one) => PATHS.every((path) => one.of(path).values.length === 2),
    "the update that wakes",
  );

  expect(await created()).toBe(before + 1);
  for (const path of PATHS) expect(client.of(path).values.at(-1)).toBe("awake");
  expect(client.violations).toEqual([]);
  client.close();
}, 120_000);

test("[M8] [M9] a renewal by a token that allows less ends what it doesn't allow, by name, and the rest goes on", async () => {
  const [mine, theirs] = [pathOf("p", "mine"), pathOf("p", "theirs")];
  deployment.produce("p", [
    { key: utf8("mine"), value: utf8("1") },
    { key: utf8("theirs"), value: utf8("1") },
  ]);
  const anyone = await connect();
  const [refused = 0] = anyone.subscribe([mine]);
  await anyone.answered([refused]);
  expect(anyone.answers.get(refused)).toBe("no_token");
  const token = await tokenOf({ subscribe: ["/p/*"] });
  const client = await connect({ Authorization: `Bearer ${token}` });
  await client.answered(client.subscribe([mine, theirs]));
  const have = (path: string, count: number) => client.of(path).values.length === count;
  await client.until(() => have(mine, 1) && have(theirs, 1), "what was there before");
  client.send({ id: 100, token: await tokenOf({ subscribe: ["/p/mine"], until: 700 }) });
  await client.answered([100]);

  expect(client.others).toEqual([{ end: theirs, error: expect.objectContaining({ code: "unknown_topic" }) }]);
  deployment.produce("p", [
    { key: utf8("theirs"), value: utf8("2") },
    { key: utf8("mine"), value: utf8("2") },
  ]);
  await client.until(() => have(mine, 2), "an update");
  expect(client.of(theirs).values).toEqual([1]);
  for (const one of [anyone, client]) one.close();
}, 60_000);
