/** Which objects a runtime takes out of memory by itself, and which it doesn't: the same on workerd and on Node. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { RUNTIMES, startOn, startRawWorkerd } from "../support/runtimes.ts";
import { Probing } from "./client.ts";

const PROBE = { main: join(import.meta.dirname, "probe/worker.ts"), objects: { PROBE: "Probe" } };
/** Both take an idle object out after 10 s, and look every second or so. */
const LONG_ENOUGH_MS = 14_000;

test.each(RUNTIMES)(
  "on %s an object sleeps after a while, whatever sockets it has, unless it has a timer, work, or a link that it dialled",
  async (runtime) => {
    const started = await (runtime === "node" ? startOn("node", PROBE) : startRawWorkerd(PROBE));
    try {
      const probing = new Probing(started);
      const client = await probing.client("has a client");
      await probing.call("has a timer", "keepAwake", "timer", 60_000);
      await probing.call("has work", "keepAwake", "work", 60_000);
      await probing.call("has dialled", "dial", "was dialled");
      await probing.call("has nothing", "keepAwake", "nothing", 0);
      const names = ["has a client", "has nothing", "was dialled", "has a timer", "has work", "has dialled"];
      const lives = async () => Promise.all(names.map((name) => probing.call(name, "whichLife")));
      const before = await lives();

      await new Promise((resolve) => setTimeout(resolve, LONG_ENOUGH_MS));

      const after = await lives();
      expect(names.filter((_, i) => before[i] === after[i])).toEqual([
        "has a timer",
        "has work",
        "has dialled",
      ]);
      client.say("say:still here");
      expect(await client.hears(1)).toEqual(["still here"]);
    } finally {
      await started.close();
    }
  },
  60_000,
);
