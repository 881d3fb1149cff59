/** Asleep unless working: eviction is real, and costs are counted. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";

let deployment: Deployment;

beforeAll(async () => {
  // Keys have no record when somebody comes, and it is their objects that are looked at.
  deployment = await Deployment.start({ topics: { t: { partitions: 1 } }, edgeEnv: { ROOMS: "0" } });
});

afterAll(() => deployment?.stop());

const produce = (key: string, value: string) =>
  deployment.produce("t", [{ key: utf8(key), value: utf8(value) }]);

test("at 10 updates a second an endpoint costs one incoming message each, no row, no alarm", async () => {
  const { rows_written: rows } = await deployment.operations();
  const subscriber = deployment.subscribe(pathOf("t", "busy"));
  await subscriber.verdict();
  produce("busy", "first");
  await subscriber.until((s) => s.updates.length === 1, "the first update");
  await eventually(async () => (await deployment.operations()).rows_written !== rows, "its row");
  const before = await deployment.operations();

  for (let i = 0; i < 50; i++) {
    produce("busy", String(i));
    await subscriber.until((s) => s.updates.length === i + 2, "an update");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }

  const after = await deployment.operations();
  const spent = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
  expect(spent("rows_written")).toBe(0);
  expect(spent("alarm")).toBe(0);
  expect(spent("websocket_message_in.endpoint_link")).toBe(50);
  expect(spent("object_request.endpoint")).toBe(0);
  expect(subscriber.violations).toEqual([]);
  await subscriber.close();
}, 60_000);

test("[S8] an idle endpoint is evicted with its sockets open, pings are answered, and the next update arrives with nothing missing", async () => {
  const subscribers = Array.from({ length: 3 }, () => deployment.subscribe(pathOf("t", "idle")));
  await Promise.all(subscribers.map((subscriber) => subscriber.verdict()));
  produce("idle", "before");
  await Promise.all(
    subscribers.map((subscriber) => subscriber.until((s) => s.updates.length === 1, "an update")),
  );
  const created = (await deployment.operations())["object_created.endpoint"] ?? 0;

  // The runtime evicts an idle object 10 s after its last event: nothing tells us, so a ping, which doesn't wake
  // it, and then an update, which does, show whether it had gone.
  const [first] = subscribers;
  await new Promise((resolve) => setTimeout(resolve, 13_000));
  first?.send('{"ping":1}');
  await first?.until((s) => s.others.some((frame) => frame.pong === 1), "a pong");
  expect((await deployment.operations())["object_created.endpoint"]).toBe(created);
  produce("idle", "after");

  await Promise.all(
    subscribers.map((subscriber) => subscriber.until((s) => s.updates.length === 2, "the update that wakes")),
  );
  await eventually(
    async () => ((await deployment.operations())["object_created.endpoint"] ?? 0) > created,
    "a constructor that ran again",
  );
  for (const subscriber of subscribers) {
    expect(subscriber.updates.map(({ value }) => value?.toString())).toEqual(["before", "after"]);
    expect(subscriber.violations).toEqual([]);
  }

  // Who joins after the eviction gets the latest, and who resumes from before it has missed nothing.
  const fresh = await deployment
    .subscribe(pathOf("t", "idle"))
    .until((s) => s.updates.length === 1, "the snapshot");
  expect(fresh.updates[0]?.value?.toString()).toBe("after");
  const previous = `${fresh.updates[0]?.epoch}:${fresh.updates[0]?.previous}`;
  const resumed = await deployment
    .subscribe(pathOf("t", "idle"), previous)
    .until((s) => s.updates.length === 1, "what was missed");
  expect(resumed.verdicts[0]).toMatchObject({ recovered: true });
  await Promise.all([...subscribers, fresh, resumed].map((subscriber) => subscriber.close()));
}, 60_000);
