/** A short form of `npm run test:hostile`, of which only that must hold which holds however busy the machine is. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { RUNTIME } from "../support/runtimes.ts";
import { ATTACKS } from "./attacks.ts";
import { hostileRun } from "./hostile-run.ts";
import { failures } from "./report.ts";

const ROOT = join(import.meta.dirname, "../..");
const SECONDS = 2;
/** One of each kind; the others take longer to show anything. */
const NAMES = [
  ..."false-partition other-name deep-value unread-subscribes random-keys inflated".split(" "),
  ..."idle-status website pings".split(" "),
];

test("while it is attacked in many ways, in turn and at once, honest clients lose nothing unannounced, and all processes live", async () => {
  const attacks = ATTACKS.filter(({ name }) => NAMES.includes(name));

  const results = await hostileRun({
    attacks,
    seconds: SECONDS,
    addresses: 1,
    runtime: RUNTIME,
    together: true,
    checkout: ROOT,
    say: () => {},
  });

  expect(failures(results)).toEqual([]);
  expect(results.attacked.map(({ name }) => name)).toEqual([...NAMES, "all together"]);
  for (const { name, tally, waited, quiet } of results.attacked) {
    const { updates, gets } = quiet.waited;
    expect([name, tally.requests > 0, updates.count > 0, gets.count > 0]).toEqual([name, true, true, true]);
    expect([name, waited.updates.count > 0]).toEqual([name, true]);
  }
}, 400_000);
