import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { type Lease, Memory } from "../../../origin/kafka/memory.ts";

const never = new AbortController().signal;
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("memory to unpack in", () => {
  test("is never more than there is, but where one alone needs more; and everyone gets theirs, in order", async () => {
    const wants = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 150 }), holds: fc.nat(5) }), {
      minLength: 1,
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(wants, async (all) => {
        const memory = new Memory(100);
        const held = new Map<Lease, number>();
        const served: number[] = [];
        all.forEach(({ bytes, holds }, i) => {
          void memory.take(bytes, never).then((lease) => {
            served.push(i);
            held.set(lease, holds);
          });
        });
        while (served.length < all.length || held.size > 0) {
          await settled();
          const bytes = [...held.keys()].reduce((sum, lease) => sum + lease.bytes, 0);
          expect(memory.leased).toBe(bytes);
          expect(bytes <= 100 || held.size === 1).toBe(true);
          for (const [lease, left] of held) {
            held.set(lease, left - 1);
            if (left > 0) continue;
            held.delete(lease);
            lease.release();
          }
        }
        expect(served).toEqual(all.map((_, i) => i));
        expect(memory.leased).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  test("is given at once only where nobody waits", async () => {
    const memory = new Memory(100);
    const first = memory.takeNow(60);
    const large = memory.take(50, never);

    expect(memory.takeNow(10)).toBeUndefined();
    first?.release();
    await large;
    expect(memory.takeNow(10)?.bytes).toBe(10);
    expect(memory.takeNow(50)).toBeUndefined();
  });

  test("is given to others when one that waited for it gives up", async () => {
    const memory = new Memory(100);
    const lease = await memory.take(60, never);
    const abort = new AbortController();
    const large = memory.take(90, abort.signal);
    const small = memory.take(10, never);
    abort.abort(new Error("over"));

    await expect(large).rejects.toThrow("over");
    expect((await small).bytes).toBe(10);
    await expect(memory.take(1, abort.signal)).rejects.toThrow("over");
    lease.release();
    lease.release();
    expect(memory.leased).toBe(10);
  });

  test("is taken from who rests on it for long while others wait, and only then", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    try {
      const memory = new Memory(100, 1_000);
      const lost: string[] = [];
      const [stuck, busy] = [await memory.take(50, never), await memory.take(50, never)];
      stuck.rest(() => lost.push("stuck"));
      vi.advanceTimersByTime(10_000);
      expect(lost).toEqual([]);

      const waiting = memory.take(40, never);
      vi.advanceTimersByTime(999);
      expect(lost).toEqual([]);
      vi.advanceTimersByTime(1);
      await waiting;

      expect(lost).toEqual(["stuck"]);
      expect([stuck.wake(), busy.wake()]).toEqual([false, true]);
      stuck.release();
      expect(memory.leased).toBe(90);
    } finally {
      vi.useRealTimers();
    }
  });
});
