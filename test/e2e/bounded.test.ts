/** A large index doesn't make a large process, and a warm restart doesn't read everything again. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { LONG } from "../support/long.ts";

/** Of the bytes, most belong to the process whatever it holds. */
const [KEYS, MEGABYTES] = LONG ? [1_000_000, 512] : [400_000, 384];
const MEGABYTE = 1024 * 1024;
const value = (i: number) => utf8(`{"n":${i},"padding":"${"x".repeat(480)}"}`.padEnd(512));
/** Spread over the key space, as hashed identifiers are. */
const keyOf = (i: number) => `user-${(Math.imul(i, 2_654_435_761) >>> 0).toString(36)}-${i}`;

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: { large: { partitions: 6, retainRecords: KEYS } },
    before: (log) => {
      for (let first = 0; first < KEYS; first += 10_000)
        log.append(
          "large",
          Array.from({ length: 10_000 }, (_, i) => ({
            key: utf8(keyOf(first + i)),
            value: value(first + i),
          })),
        );
    },
  });
}, 300_000);

afterAll(() => deployment?.stop());

test(`an index of ${KEYS} keys of 512 bytes keeps the origin under ${MEGABYTES} MB resident, and a warm restart is ready in seconds`, async () => {
  const { origin } = deployment;
  const resident = origin?.peakResidentBytes() ?? Number.POSITIVE_INFINITY;
  expect(resident).toBeLessThan(MEGABYTES * MEGABYTE);
  const get = async (i: number) => (await fetch(deployment.url + pathOf("large", keyOf(i)))).text();
  for (const i of [0, 123_456, KEYS - 1]) expect(await get(i)).toBe(new TextDecoder().decode(value(i)));

  await origin?.stop();
  const started = performance.now();
  deployment.origin = deployment.startOrigin();
  const expected = new TextDecoder().decode(value(300_000));
  await eventually(async () => (await get(300_000)) === expected, "an answer after a restart");
  const readyMs = Math.round(performance.now() - started);

  for (const i of [0, 123_456, KEYS - 1]) expect(await get(i)).toBe(new TextDecoder().decode(value(i)));
  // What is answered now comes from the index: there was nothing to read.
  expect(deployment.origin?.output).toMatch(/"event":"topic_found",.*"from":"index","records":0\b/);
  console.info(
    `origin with ${KEYS} keys: ${Math.round(resident / MEGABYTE)} MB resident at most; ready again ${readyMs} ms after a restart`,
  );
});
