/**
 * The conformance suite: each primitive of the platform that the edge uses does the same on workerd and on Node. Expected values
 * were recorded on workerd; what no case covers the runtime on Node refuses.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RUNTIMES, type Started, startOn, startRawWorkerd } from "../support/runtimes.ts";
import { ASLEEP, type Case, HTTP, LINKS, OBJECTS, SOCKETS, STORAGE } from "./cases.ts";
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
  const awake = { sockets: SOCKETS, objects: OBJECTS, storage: STORAGE, links: LINKS, http: HTTP };
  // What can take objects out of memory on workerd stands before it, and says much by itself.
  suite(() => (runtime === "workerd" ? startRawWorkerd(PROBE) : startOn("node", PROBE)), awake);
  suite(() => startOn(runtime, PROBE), { "out of memory": ASLEEP });
});
