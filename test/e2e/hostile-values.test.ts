/** Whoever can write records chooses what they cost to understand, and whoever can read asks for them again and again. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";

const MIB = 1024 * 1024;
/** Of the bytes, most belong to the process whatever it holds, and to what the index keeps at hand. */
const RESIDENT_MB = 512;

const repeated = (text: string, before = "", after = "") =>
  Buffer.from(
    before + text.repeat(Math.floor((8 * MIB - before.length - after.length) / text.length)) + after,
  );

const values: readonly (readonly [key: string, value: Buffer, type: string])[] = [
  ["open", repeated("["), "text/plain; charset=utf-8"],
  [
    "deep",
    Buffer.concat([Buffer.alloc(4 * MIB, "["), Buffer.alloc(4 * MIB, "]")]),
    "text/plain; charset=utf-8",
  ],
  ["many", repeated("[],", "[", "[]]"), "application/json"],
  ["objects", repeated("{},", "[", "{}]"), "application/json"],
];

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: { hostile: { partitions: 1 } },
    before: (log) => {
      for (const [key, value] of values) log.append("hostile", [{ key: utf8(key), value }]);
      log.append("hostile", [{ key: utf8("escapes"), value: Buffer.alloc(8 * MIB, 1) }]);
    },
  });
}, 300_000);

afterAll(() => deployment?.stop());

const ask = (key: string, init?: RequestInit) => fetch(deployment.url + pathOf("hostile", key), init);

test(`[H1] [F3] [F8] records that take long to understand are asked for again and again, and the origin stays under ${RESIDENT_MB} MB resident`, async () => {
  for (let round = 0; round < 5; round++) {
    for (const [key, , type] of values) {
      const head = await ask(key, { method: "HEAD" });
      expect([key, head.status, head.headers.get("content-type")]).toEqual([key, 200, type]);
      const tag = head.headers.get("etag") ?? "";
      expect((await ask(key, { headers: { "If-None-Match": tag } })).status).toBe(304);
    }
    expect((await ask("escapes")).status).toBe(502);
  }
  for (const [key, value] of values) {
    const whole = Buffer.from(await (await ask(key)).arrayBuffer());
    expect([key, whole.equals(value)]).toEqual([key, true]);
  }

  const resident = deployment.origin?.peakResidentBytes() ?? Number.POSITIVE_INFINITY;
  console.info(`origin after hostile records: ${Math.round(resident / MIB)} MB resident at most`);
  expect(resident).toBeLessThan(RESIDENT_MB * MIB);
});
