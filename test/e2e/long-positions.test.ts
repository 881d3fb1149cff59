/** Positions of many partitions on the real edge: what one client names is no other one's trouble. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { partitionOf } from "../../shared/core/partitioner.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";

const PARTITIONS = 80;
/** Its home is none of the partitions that a client names. */
const KEY = Array.from({ length: 10_000 }, (_, i) => `key${i}`).find(
  (key) => partitionOf(utf8(key), PARTITIONS) === PARTITIONS - 1,
);

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { wide: { partitions: PARTITIONS } } });
}, 180_000);

afterAll(() => deployment?.stop());

const produce = (key: string, value: string, partition?: number) =>
  deployment.produce("wide", [
    { key: utf8(key), value: utf8(value), ...(partition !== undefined && { partition }) },
  ]);

test("[P2] [C5] a client that names 64 partitions beside the key's home is told so, and all others are served on", async () => {
  const path = pathOf("wide", KEY ?? "");
  const [appended] = produce(KEY ?? "", "1");
  const incarnation = String(appended?.epoch).split(".")[0];
  const other = deployment.subscribe(pathOf("wide", "other"));
  await other.verdict();
  const named = Array.from({ length: LIMITS.positionComponents }, (_, i) => `${incarnation}.${i}:0`).join();
  // What is named must have been read, or it is waited for.
  for (let partition = 0; partition < LIMITS.positionComponents; partition++)
    produce("filler", "0", partition);

  const greedy = deployment.subscribe(path, named);

  expect(await greedy.verdict()).toMatchObject({ recovered: false, cause: "epoch" });
  produce("other", "2");
  await other.until(({ updates }) => updates.length === 1, "an update of another key");
  expect((await fetch(deployment.url + pathOf("wide", "other"))).status).toBe(200);
  expect([other.closed, other.violations, other.others]).toEqual([undefined, [], []]);
  await Promise.all([greedy.close(), other.close()]);
}, 60_000);

test("[H1] [P2] a key that lives in 70 partitions is answered, and followed", async () => {
  const path = pathOf("wide", "everywhere");
  // Partitions are read each by itself: which of several records of one moment is the latest isn't said.
  const naming = (partitions: number) =>
    eventually(async () => {
      const answer = await fetch(deployment.url + path);
      return answer.headers.get("ETag")?.split(",").length === partitions && answer;
    }, `an answer that names ${partitions} partitions`);
  for (let partition = 0; partition < 69; partition++) produce("everywhere", String(partition), partition);
  await naming(69);
  const subscriber = deployment.subscribe(path);
  await subscriber.verdict();
  produce("everywhere", "69", 69);
  await subscriber.until(({ updates }) => updates.some(({ value }) => String(value) === "69"), "the latest");

  const response = await naming(70);
  expect([response.status, await response.text()]).toEqual([200, "69"]);
  const tag = response.headers.get("ETag") ?? "";
  expect((await fetch(deployment.url + path, { headers: { "If-None-Match": tag } })).status).toBe(304);

  produce("everywhere", "70", 7);
  await subscriber.until(({ updates }) => updates.some(({ value }) => String(value) === "70"), "a live one");
  expect(subscriber.violations).toEqual([]);
  await subscriber.close();
}, 60_000);
