import fc from "fast-check";
import { expect, test } from "vitest";
import { PublishTable } from "../../../origin/publish/publish-table.ts";

/** Few ids, which share their beginnings, so that they are in one another's way. */
const ids = Array.from({ length: 60 }, (_, i) =>
  `${"\0".repeat(i % 15)}${String.fromCharCode(i)}`.padEnd(16, "x"),
);

test("whatever comes, changes and leaves, each id is found where it is, and the oldest leaves first", () => {
  const deed = fc.record({ does: fc.constantFrom("add", "add", "set", "remove"), n: fc.nat(59) });
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 200 }), (deeds) => {
      const table = new PublishTable();
      const model = new Map<string, { readonly fingerprint: string; readonly offset: number }>();
      for (const [offset, { does, n }] of deeds.entries()) {
        const [id = "", fingerprint] = [ids[n], `print ${offset}`.padEnd(16)];
        const slot = table.find(id);
        if (does === "add" && slot === undefined) {
          table.add(id, fingerprint, offset, 1_000 + offset);
          model.set(id, { fingerprint, offset });
        } else if (does === "set" && slot !== undefined) {
          table.set(slot, fingerprint, offset, 0);
          model.set(id, { fingerprint, offset });
        } else if (does === "remove") {
          table.removeOldest();
          const [oldest = ""] = model.keys();
          model.delete(oldest);
        }
        expect(table.size).toBe(model.size);
        expect(table.oldestTimestamp === undefined).toBe(model.size === 0);
        for (const one of ids) {
          const [found, known] = [table.find(one), model.get(one)];
          expect(found === undefined).toBe(known === undefined);
          if (found === undefined || known === undefined) continue;
          expect(table.offsetOf(found)).toBe(known.offset);
          expect(table.hasFingerprint(found, known.fingerprint)).toBe(true);
          expect(table.hasFingerprint(found, "of another".padEnd(16))).toBe(false);
        }
      }
      table.clear();
      expect([table.size, table.find(ids[0] ?? ""), table.oldestTimestamp]).toEqual([
        0,
        undefined,
        undefined,
      ]);
    }),
    { numRuns: 200 },
  );
});

test("offsets and times are as exact as numbers are, and every byte of an id counts", () => {
  const table = new PublishTable();
  const [id, offset, timestamp] = ["\xff".repeat(16), 2 ** 53 - 1, 1_795_685_942_295];
  table.add(id, id, offset, timestamp);

  expect([table.offsetOf(table.find(id) ?? -1), table.oldestTimestamp]).toEqual([offset, timestamp]);
  for (let at = 0; at < 16; at++) {
    const other = `${id.slice(0, at)}\xfe${id.slice(at + 1)}`;
    expect([table.find(other), table.hasFingerprint(0, other)]).toEqual([undefined, false]);
  }
});
