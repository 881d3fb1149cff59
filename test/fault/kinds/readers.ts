/** Subscribers that misbehave. */
import { NotInjected, needed } from "../not-injected.ts";
import { type Kind, pause } from "./kind.ts";

/** More than the 256 KiB that the edge allows and what two connections' buffers in the kernel take, at first. */
const BURST_VALUES = 80;
const VALUE_BYTES = 128 * 1024;
const SLOW_CONSUMER = 4001;
const KEY = "key-0";
/**
 * The kernel's buffers grow with what went through them, and so does each burst; and one that catches up, while another
 * fault is at work, is sent as much as it takes (S9) and isn't closed.
 */
const ATTEMPTS = 4;
/** For all of them: it keeps others from the edge and the brokers. */
const ATTEMPTS_MS = 40_000;

export const READERS: readonly Kind[] = [
  {
    name: "subscriber that stops reading",
    perTenMinutes: 11,
    lastsMs: 7_000,
    parts: ["bulky", "edge", "brokers"],
    inject: async (rig) => {
      const [slow, ...others] = rig.population.bulky;
      if (slow === undefined) throw new Error("nobody could be slow");
      const closes = () => slow.closes.get(SLOW_CONSUMER) ?? 0;
      const before = closes();
      const haveAll = (subscribers: readonly unknown[]) =>
        rig
          .targets()
          .filter(({ subscriber }) => subscribers.includes(subscriber))
          .every((target) => rig.isReached(target));
      const deadline = performance.now() + ATTEMPTS_MS;
      for (let times = 0; times < ATTEMPTS && closes() === before; times++) {
        if (performance.now() > deadline) throw new NotInjected("bursts took too long to come");
        slow.pause(true);
        try {
          const values = Array.from({ length: 2 ** times * BURST_VALUES }, () => VALUE_BYTES);
          await rig.writer("bulky").burst(KEY, values);
          // The others aren't disturbed.
          await needed(() => haveAll(others), "the others have all", 20_000);
          await pause(100);
        } finally {
          slow.pause(false);
        }
        await needed(
          () => closes() > before || haveAll([slow]),
          "closed with 4001, or has caught up",
          20_000,
        );
      }
      if (closes() === before) throw new Error("never closed with 4001");
    },
  },
];
