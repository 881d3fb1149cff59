/** Topics of the embedded log that match patterns of streams.json, written with `npm run produce`. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { Deployment } from "../support/deployment.ts";
import { root } from "../support/product.ts";

const run = promisify(execFile);

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: {
      "kept.*": { stream: { compacted: true, window: { seconds: 1 } } },
      "passing.*": { stream: { window: { seconds: 1 } } },
      // Of its own name, and so not as the pattern says.
      "passing.quiet": { stream: { compacted: true, window: { seconds: 1 } } },
    },
  });
});
afterAll(() => deployment?.stop());

const produce = (...args: readonly string[]) =>
  run(process.execPath, [join(root, "origin/embedded/produce.ts"), ...args], {
    env: {
      ...process.env,
      DATA_DIR: deployment.dataDir,
      STREAMS: join(deployment.dataDir, "streams.json"),
    },
  });
const get = async (path: string) => {
  const response = await fetch(deployment.url + path);
  return { status: response.status, text: await response.text() };
};

test("[H4] a topic that a record creates is found, and the index keeps of it what the stream it belongs to says", async () => {
  const subscriber = deployment.subscribe("/kept.new/k");
  await subscriber.verdict();
  for (const topic of ["kept.new", "passing.new", "passing.quiet"]) await produce(topic, "k", '"1"');

  await subscriber.until(({ updates }) => updates.length === 1, "the first record");
  expect(String(subscriber.updates[0]?.value)).toBe('"1"');
  await eventually(async () => (await get("/passing.new/k")).status === 200, "the topic is found");
  await eventually(async () => (await get("/passing.new/k")).status === 404, "its record is dropped");
  expect(await get("/kept.new/k")).toEqual({ status: 200, text: '"1"' });
  expect(await get("/passing.quiet/k")).toEqual({ status: 200, text: '"1"' });
  expect((await get("/keptXnew/k")).status).toBe(404);
  await subscriber.close();
}, 60_000);

test("a record for a topic that is neither there nor matches, and one for a pattern itself, are refused in words", async () => {
  await expect(produce("other", "k", "1")).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('there is no topic "other"'),
  });
  await expect(produce("kept.*", "k", "1")).rejects.toMatchObject({
    code: 1,
    stderr: 'produce: "kept.*" is not a name for a topic\n',
  });
});
