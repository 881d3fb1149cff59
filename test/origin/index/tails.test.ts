import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TailTable, tailName } from "../../../origin/index/tail-table.ts";
import { Tails } from "../../../origin/index/tails.ts";
import { bytes } from "../../support/index-records.ts";

const tail = fc.record({
  partition: fc.integer({ min: 1, max: 3 }),
  name: fc.oneof(
    fc.integer({ min: 0, max: 20 }).map((n) => bytes(`k${n}`)),
    fc.uint8Array({ maxLength: 32 }),
  ),
  offset: fc.nat(),
});
const named = (partition: number, name: Uint8Array) => `${partition}/${Buffer.from(name).toString("hex")}`;

describe("the name of a key", () => {
  test("differs for keys that differ, however long they are", () => {
    const key = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 28, maxLength: 34 }));
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(Buffer.compare(tailName(a), tailName(b)) === 0).toBe(Buffer.compare(a, b) === 0);
        expect(tailName(a).length).toBeLessThanOrEqual(32);
        // The name of a long key is a key too, and has another name.
        expect(Buffer.compare(tailName(tailName(b)), tailName(b)) === 0).toBe(b.length <= 31);
      }),
    );
  });
});

describe("a table of tails", () => {
  test("answers as a map does, also after it has grown and been cleared", () => {
    fc.assert(
      fc.property(fc.array(tail, { maxLength: 60 }), fc.array(tail, { maxLength: 60 }), (first, second) => {
        const table = new TailTable(4);
        for (const { partition, name, offset } of first) table.set(partition, name, offset);
        table.clear();
        const map = new Map<string, number>();
        for (const { partition, name, offset } of second) {
          table.set(partition, name, offset);
          map.set(named(partition, name), offset);
        }
        expect(table.count).toBe(map.size);
        for (const { partition, name } of [...first, ...second])
          expect(table.get(partition, name)).toBe(map.get(named(partition, name)));
      }),
    );
  });

  test("sorts as SQLite does: by the bytes of the name, then by partition", () => {
    fc.assert(
      fc.property(fc.array(tail, { maxLength: 40 }), (tails) => {
        const table = new TailTable(64);
        for (const { partition, name, offset } of tails) table.set(partition, name, offset);
        const sorted = Array.from(table.sorted(), (entry) => ({
          partition: table.partitionAt(entry),
          name: Uint8Array.from(table.nameAt(entry)),
        }));
        expect(sorted).toEqual(
          sorted.toSorted((a, b) => Buffer.compare(a.name, b.name) || a.partition - b.partition),
        );
        expect(sorted.length).toBe(table.count);
      }),
    );
  });
});

function database(): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  db.exec(`CREATE TABLE tail (name BLOB NOT NULL, partition INTEGER NOT NULL, last_offset INTEGER NOT NULL,
    PRIMARY KEY (name, partition)) WITHOUT ROWID;
    CREATE TABLE partition (id INTEGER PRIMARY KEY, retired INTEGER NOT NULL, keeps_latest INTEGER NOT NULL,
    horizon INTEGER NOT NULL, log_start INTEGER NOT NULL)`);
  return db;
}
const rows = (db: DatabaseSync) =>
  db
    .prepare("SELECT name, last_offset FROM tail ORDER BY name")
    .all()
    .map((row) => [Buffer.from(row.name instanceof Uint8Array ? row.name : []).toString(), row.last_offset]);

describe("tails", () => {
  test("are the last ones set, whichever of them are in memory or written back", () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.tuple(fc.constant("set" as const), fc.nat({ max: 12 }), fc.nat()) },
      { weight: 2, arbitrary: fc.tuple(fc.constant("write" as const), fc.nat({ max: 4 }), fc.nat()) },
      { weight: 1, arbitrary: fc.tuple(fc.constant("settle" as const), fc.nat(), fc.nat()) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const tails = new Tails(database(), 4, 0);
        const model = new Map<number, number>();
        for (const [kind, n, offset] of steps) {
          if (kind === "set") {
            tails.set(1, bytes(`k${n}`), offset);
            model.set(n, offset);
          } else if (kind === "write") tails.writeBehind(n);
          else {
            tails.writeBehind(Number.POSITIVE_INFINITY);
            tails.settle(0);
          }
          for (let key = 0; key <= 12; key++) {
            expect(tails.last(1, bytes(`k${key}`), 0)).toBe(model.get(key));
            expect(tails.lastIn([1, 2], bytes(`k${key}`)).get(1)).toBe(model.get(key));
            expect(tails.last(2, bytes(`k${key}`), 0)).toBeUndefined();
          }
        }
      }),
    );
  });

  test("what is to be replayed begins where the oldest unwritten ones were buffered", () => {
    const tails = new Tails(database(), 2, 10);
    tails.set(1, bytes("a"), 1);
    tails.set(1, bytes("b"), 2);
    expect(tails.full).toBe(true);
    expect(tails.replayFrom()).toBe(10);
    tails.settle(12);
    expect(tails.full).toBe(false);
    tails.writeBehind(1);
    expect(tails.replayFrom()).toBe(10);
    tails.writeBehind(1);
    expect(tails.replayFrom()).toBe(12);
  });

  test("what a failed transaction wrote back is written again", () => {
    const db = database();
    const tails = new Tails(db, 2, 0);
    tails.set(1, bytes("a"), 1);
    tails.settle(1);
    const { written } = tails;
    db.exec("BEGIN");
    tails.writeBehind(1);
    db.exec("ROLLBACK");
    tails.restore(written);
    expect(rows(db)).toEqual([]);
    tails.writeBehind(1);
    expect(rows(db)).toEqual([["a", 1]]);
  });

  test("one that is taken back is not known any more, although an older one is stored", () => {
    const tails = new Tails(database(), 2, 0);
    tails.write(1, bytes("a"), 1);
    tails.set(1, bytes("a"), 5);
    tails.set(1, bytes("a"), undefined);
    expect(tails.last(1, bytes("a"), 0)).toBeUndefined();
    expect(tails.lastIn([1], bytes("a")).size).toBe(0);
  });

  test("stored ones below what is exact are not known", () => {
    const tails = new Tails(database(), 2, 0);
    tails.write(1, bytes("a"), 7);
    expect(tails.last(1, bytes("a"), 7)).toBe(7);
    expect(tails.last(1, bytes("a"), 8)).toBeUndefined();
  });

  test("sweeping goes round the table and deletes what is stale, wherever it stands", () => {
    const db = database();
    db.exec(`INSERT INTO partition VALUES (0, 0, 0, 4, 0), (1, 1, 1, 0, 0), (3, 0, 1, 100, 0);
      -- Names that are the first and the last.
      INSERT INTO tail VALUES (x'', 0, 3), (CAST(zeroblob(32) AS BLOB), 2, 50)`);
    const tails = new Tails(db, 2, 0);
    tails.write(0, new Uint8Array(32).fill(0xff), 3);
    // 0 is live from 4 on, 1 is retired, 2 is not known any more, 3 keeps the latest.
    for (let n = 0; n < 12; n++) tails.write(n % 4, bytes(`k${n % 10}`), n);
    for (let round = 0; round < 5; round++) tails.sweep(3);
    expect(rows(db)).toEqual([
      ["k1", 11],
      ["k3", 3],
      ["k4", 4],
      ["k7", 7],
      ["k8", 8],
    ]);
    // What the log has deleted isn't kept either: all rows are looked at once more.
    db.exec("UPDATE partition SET log_start = 8 WHERE id = 3");
    tails.sweepAll();
    let sweeps = 0;
    for (; tails.isSweeping; sweeps++) tails.sweep(3);
    expect(sweeps).toBeLessThanOrEqual(4);
    expect(rows(db)).toEqual([
      ["k1", 11],
      ["k4", 4],
      ["k8", 8],
    ]);
    // From where the last round ended, round again.
    db.exec("UPDATE partition SET retired = 1");
    for (let round = 0; round < 3; round++) tails.sweep(3);
    expect(rows(db)).toEqual([]);
  });
});
