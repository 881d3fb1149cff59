/** One that is slow, silent or dies does not take others with it, and comes back with nothing missing. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { t: { partitions: 3 }, empty: {} } });
});

afterAll(() => deployment?.stop());

const produce = (key: string, ...values: string[]) =>
  deployment.produce(
    "t",
    values.map((value) => ({ key: utf8(key), value: utf8(value) })),
  );

describe("a slow subscriber", () => {
  test("[S9] is closed with a code that says come back, delays nobody, and misses nothing when it does", async () => {
    const path = pathOf("t", "large");
    const [slow, fast] = [deployment.subscribe(path), deployment.subscribe(path)];
    await Promise.all([slow.verdict(), fast.verdict()]);
    // After a close from the edge workerd keeps the connection open if the client never said anything (S11).
    slow.send('{"ping":1}');
    await slow.until((s) => s.others.length === 1, "a pong");
    slow.socket.pause();

    const count = 60;
    for (let i = 0; i < count; i++) {
      produce("large", `${i} ${"x".repeat(400_000)}`);
      await fast.until((s) => s.updates.length === i + 1, `update ${i} at the fast one`);
    }
    slow.socket.resume();
    await slow.until((s) => s.closed !== undefined, "its close");

    expect(slow.closed?.code).toBe(4001);
    const again = deployment.subscribe(path, slow.position);
    await again.until((s) => s.updates.at(-1)?.offset === fast.updates.at(-1)?.offset, "the last update");
    expect(again.verdicts[0]).toMatchObject({ recovered: true });
    expect(slow.updates.length + again.updates.length).toBe(count);
    expect([...slow.violations, ...fast.violations, ...again.violations]).toEqual([]);
    await Promise.all([fast.close(), again.close()]);
  }, 90_000);
});

describe("a subscriber with a long past to catch up", () => {
  test("[S9] [U5] is sent it piece by piece as it takes them, on one connection, and then goes on live", async () => {
    const path = pathOf("t", "past");
    produce("past", "first");
    const first = await deployment.subscribe(path).until((s) => s.updates.length === 1, "the first record");
    const count = 60;
    await first.close();
    for (let i = 0; i < count; i++) produce("past", `${i} ${"x".repeat(400_000)}`);

    const late = deployment.subscribe(path, `${first.updates[0]?.epoch}:${first.updates[0]?.offset}`);
    // Reads in gulps, as behind a narrow line.
    const gulps = setInterval(() => (late.socket.isPaused ? late.socket.resume() : late.socket.pause()), 20);
    await late.until((s) => s.updates.length === count, "its past");
    clearInterval(gulps);
    late.socket.resume();
    produce("past", "last");
    await late.until((s) => s.updates.length === count + 1, "what comes live");

    expect(late.verdicts).toMatchObject([{ recovered: true }]);
    expect([...first.violations, ...late.violations]).toEqual([]);
    await Promise.all([first.close(), late.close()]);
  }, 90_000);
});

describe("an endpoint", () => {
  test("[S3] [P3] without a record, and one of an empty topic, is answered at once, from where its home was read to", async () => {
    for (const path of [pathOf("t", "never"), pathOf("empty", "never")]) {
      const subscriber = deployment.subscribe(path);
      const { position, head } = await subscriber.verdict();
      expect(position).toBe(head);
      expect(position).toMatch(path.startsWith("/empty") ? /^-$/ : /^(-|[\w-]{6}\.\d+:\d+)$/);
      expect((await fetch(deployment.url + path)).status).toBe(404);
      await subscriber.close();
    }
  });
});

describe("what dies", () => {
  test("[R3] [L7] an origin that is killed: its subscribers stay connected and get what was produced meanwhile", async () => {
    const subscriber = deployment.subscribe(pathOf("t", "origin"));
    await subscriber.verdict();
    produce("origin", "1", "2");
    await subscriber.until((s) => s.updates.length === 2, "two updates");

    await deployment.origin?.stop("SIGKILL");
    produce("origin", "3", "4");
    deployment.origin = deployment.startOrigin();
    await subscriber.until((s) => s.updates.length === 4, "what was produced meanwhile");
    produce("origin", "5");
    await subscriber.until((s) => s.updates.length === 5, "what comes now");

    expect(subscriber.updates.map(({ value }) => value?.toString())).toEqual(["1", "2", "3", "4", "5"]);
    expect([subscriber.verdicts.length, subscriber.resets.length, subscriber.violations]).toEqual([1, 0, []]);
    await subscriber.close();
  }, 60_000);

  test("[R1] [R2] an edge that is killed: its subscribers come back by position and have missed nothing", async () => {
    const subscriber = deployment.subscribe(pathOf("t", "edge"));
    await subscriber.verdict();
    produce("edge", "1", "2");
    await subscriber.until((s) => s.updates.length === 2, "two updates");

    await deployment.edge?.stop("SIGKILL");
    await subscriber.until((s) => s.closed !== undefined, "its close");
    produce("edge", "3");
    deployment.edge = deployment.startEdge();
    await deployment.ready();
    const again = deployment.subscribe(pathOf("t", "edge"), subscriber.position);
    await again.until((s) => s.updates.length === 1, "what was produced meanwhile");
    produce("edge", "4");
    await again.until((s) => s.updates.length === 2, "what comes now");

    expect(again.verdicts).toMatchObject([{ recovered: true }]);
    expect(again.updates.map(({ value }) => value?.toString())).toEqual(["3", "4"]);
    expect([...subscriber.violations, ...again.violations]).toEqual([]);
    await again.close();
  }, 60_000);

  test("[R4] a topic that is created again: it is said that continuity is lost, and the new one's records arrive", async () => {
    const path = pathOf("t", "again");
    const subscriber = deployment.subscribe(path);
    await subscriber.verdict();
    produce("again", "old");
    await subscriber.until((s) => s.updates.length === 1, "an update");

    deployment.log.deleteTopic("t");
    deployment.log.createTopic("t", { partitions: 3 });
    produce("again", "new");
    await subscriber.until((s) => s.updates.at(-1)?.value?.toString() === "new", "the new topic's record");

    expect(subscriber.resets).toMatchObject([{ cause: "epoch" }]);
    expect(subscriber.violations).toEqual([]);
    const from = `${subscriber.updates[0]?.epoch}:${subscriber.updates[0]?.offset}`;
    const returning = deployment.subscribe(path, from);
    expect(await returning.verdict()).toMatchObject({ recovered: false, cause: "epoch" });
    await returning.until((s) => s.updates.length === 1, "the latest record");
    await Promise.all([subscriber.close(), returning.close()]);
  }, 60_000);
});
