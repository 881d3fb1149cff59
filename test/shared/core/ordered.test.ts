import fc from "fast-check";
import { expect, test } from "vitest";
import { Ordered } from "../../../shared/core/ordered.ts";

test("whatever comes and goes, it holds what is there in order, and knows what is before it", () => {
  const deed = fc.record({ does: fc.constantFrom("add", "delete"), n: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 60 }), (deeds) => {
      const items = Array.from({ length: 31 }, (_, n) => ({ n }));
      const ordered = new Ordered<{ n: number }>(({ n }) => n);
      const model = new Set<number>();
      for (const { does, n } of deeds) {
        const item = items[n] ?? { n };
        if (does === "delete") expect(ordered.delete(item)).toBe(model.delete(n));
        else if (!model.has(n)) {
          model.add(n);
          ordered.add(item);
        }
        const sorted = [...model].sort((a, b) => a - b);
        expect([...ordered].map(({ n }) => n)).toEqual(sorted);
        expect([ordered.size, ordered.first?.n]).toEqual([sorted.length, sorted[0]]);
        expect(ordered.before(item)?.n).toBe(sorted.findLast((other) => other < n));
      }
    }),
  );
});
