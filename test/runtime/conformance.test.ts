/**
 * The conformance suite: each primitive of the platform that the edge uses does the same on workerd and on Node. Expected values
 * were recorded on workerd; what no case covers the runtime on Node refuses.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RUNTIMES, type Started, startOn, startRawWorkerd } from "../support/runtimes.ts";
import { AWAKE } from "./cases/all.ts";
import type { Case } from "./cases/case.ts";
import { ASLEEP } from "./cases/objects.ts";
import { Probing } from "./client.ts";

const PROBE = { main: join(import.meta.dirname, "probe/worker.ts"), objects: { PROBE: "Probe" } };

function suite(start: () => Promise<Started>, areas: Readonly<Record<string, readonly Case[]>>): void {
  let started: Started;
  beforeAll(async () => {
    started = await start();
  });
  afterAll(() => started.close());

  for (const [area, cases] of Object.entries(areas))
    describe(area, () => {
      test.each(cases)("$title", async ({ run, expected }) => {
        expect(await run(new Probing(started))).toEqual(expected);
      });
    });
}

describe.each(RUNTIMES)("on %s", (runtime) => {
  // What can take objects out of memory on workerd stands before it, and says much by itself.
  suite(() => (runtime === "workerd" ? startRawWorkerd(PROBE) : startOn("node", PROBE)), AWAKE);
  suite(() => startOn(runtime, PROBE), { "out of memory": ASLEEP });
});
