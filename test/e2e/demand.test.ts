/** Only what is watched crosses the wire, and only what is watched has an object. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";

const KEYS = 100_000;
const WATCHED = 10;

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: { many: { partitions: 6 }, posted: { partitions: 3, stream: { publish: "public" } } },
    originEnv: { PUBLISH_SECRET: "a secret of the tests of 32 bytes or more" },
    // Keys have no record when somebody comes, and what is counted is of their objects.
    edgeEnv: { ROOMS: "0" },
  });
});

afterAll(() => deployment?.stop());

test(`${KEYS} keys and ${WATCHED} watched endpoints forward the updates of ${WATCHED} and make ${WATCHED} objects`, async () => {
  const { rows_written: rows = 0 } = await deployment.operations();
  const subscribers = Array.from({ length: WATCHED }, (_, i) =>
    deployment.subscribe(pathOf("many", `key-${i * 10_000}`)),
  );
  await Promise.all(subscribers.map((subscriber) => subscriber.verdict()));
  const before = await deployment.operations();

  for (let first = 0; first < KEYS; first += 1_000)
    deployment.produce(
      "many",
      Array.from({ length: 1_000 }, (_, i) => ({
        key: utf8(`key-${first + i}`),
        value: utf8(`${first + i}`),
      })),
    );
  await Promise.all(
    subscribers.map((subscriber) => subscriber.until((s) => s.updates.length === 1, "its update", 60_000)),
  );
  const [position] = deployment.produce("many", [{ key: utf8("last"), value: utf8("1") }]);

  // Everything has been read once the last record can be had.
  const last = deployment.subscribe(pathOf("many", "last"));
  await last.until((s) => s.updates.length === 1, "the last record");
  expect(last.updates[0]?.offset).toBe(position?.offset);
  // A row is written for each object, once; one that had nothing to do for long begins to run more often.
  const written = async () => ((await deployment.operations()).rows_written ?? 0) - rows;
  await eventually(async () => (await written()) > WATCHED, "a row for each object");
  expect(await written()).toBe(WATCHED + 1);
  const after = await deployment.operations();
  expect(after["object_created.endpoint"]).toBeGreaterThan(WATCHED);
  // One message for each update, and for the last endpoint a hello and an answer.
  const messages = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
  expect(messages("websocket_message_in.endpoint_link")).toBeLessThanOrEqual(WATCHED + 3);
  expect(messages("websocket_message_in.endpoint_link")).toBeGreaterThan(WATCHED);
  expect(messages("websocket_message_out.endpoint")).toBeLessThanOrEqual(WATCHED + 2);
  for (const subscriber of subscribers) expect(subscriber.violations).toEqual([]);
  await Promise.all([...subscribers, last].map((subscriber) => subscriber.close()));
}, 120_000);

test("[H5] a thousand GETs of keys that nobody watches make no object and start no watch", async () => {
  const before = await deployment.operations();
  const watched = async () =>
    ((await (await fetch(`${deployment.url}/$/health`)).json()) as { shards: { watched: number }[] }).shards;

  const shards = await watched();
  for (let i = 0; i < 1_000; i += 50) {
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, j) => {
        const response = await fetch(deployment.url + pathOf("many", `key-${20_001 + i + j}`));
        return response.text();
      }),
    );
    expect(answers).toEqual(Array.from({ length: 50 }, (_, j) => `${20_001 + i + j}`));
  }

  const after = await deployment.operations();
  expect(after["object_created.endpoint"]).toBe(before["object_created.endpoint"]);
  expect(after.rows_written).toBe(before.rows_written);
  expect((await watched()).map(({ watched }) => watched)).toEqual(shards.map(({ watched }) => watched));
}, 60_000);

test("[W10] a thousand publishes to keys that nobody watches make no object, wake none and start no watch; a watched key costs one message each", async () => {
  const { rows_written: rows = 0 } = await deployment.operations();
  const watched = deployment.subscribe(pathOf("posted", "watched"));
  await watched.verdict();
  const publish = async (key: string, body: string) => {
    const url = deployment.url + pathOf("posted", key);
    const answer = await fetch(url, { method: "POST", body });
    return ((await answer.json()) as { readonly position?: string }).position;
  };
  // Whoever writes the partitions is known from here on.
  await Promise.all(Array.from({ length: 10 }, (_, i) => publish(`first-${i}`, "0")));
  await publish("watched", "0");
  await watched.until(({ updates }) => updates.length === 1, "the first update");
  const written = async () => ((await deployment.operations()).rows_written ?? 0) > rows;
  await eventually(written, "the row of the one that is watched");
  const before = await deployment.operations();

  for (let i = 0; i < 1_000; i += 50) {
    const positions = await Promise.all(Array.from({ length: 50 }, (_, j) => publish(`key-${i + j}`, "1")));
    expect(positions).not.toContain(undefined);
  }
  const between = await deployment.operations();
  for (let i = 1; i <= 10; i++) {
    await publish("watched", String(i));
    // Those that come close together share a message.
    await watched.until(({ updates }) => updates.length === i + 1, "its update");
  }

  const after = await deployment.operations();
  const more = (name: string, from = before, to = between) => (to[name] ?? 0) - (from[name] ?? 0);
  for (const none of ["object_created.endpoint", "object_request.endpoint", "rows_written"])
    expect([none, more(none)]).toEqual([none, 0]);
  expect(more("websocket_message_in.endpoint_link")).toBe(0);
  expect(more("rpc.shard")).toBe(1_000);
  // The one that is watched may have been asleep, and is no other than before.
  expect(more("object_request.endpoint", between, after)).toBe(0);
  expect(more("websocket_message_in.endpoint_link", between, after)).toBe(10);
  expect(watched.violations).toEqual([]);
  await watched.close();
}, 60_000);

test("[L5] half a minute after the last client has gone nothing is watched any more, and no link is open", async () => {
  const shards = await eventually(
    async () => {
      const health = (await (await fetch(`${deployment.url}/$/health`)).json()) as {
        shards: { watched: number; links: number }[];
      };
      return health.shards.every(({ watched, links }) => watched + links === 0) && health.shards;
    },
    "nothing is watched",
    60_000,
  );

  expect(shards.length).toBeGreaterThan(1);
}, 90_000);
