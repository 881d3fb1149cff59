import { describe, expect, test } from "vitest";
import { endpointObject } from "../../../../edge/object-identity.ts";
import { Notes } from "../../../../edge/shard/links/notes.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const noted = (name: string) => endpointObject(`/t/${name}`);

function start() {
  const clock = new FakeClock();
  const writes: string[][] = [];
  const erased: string[] = [];
  const disk = { isFull: false };
  const notes = new Notes({
    now: () => clock.now(),
    after: (ms, run) => clock.after(ms, run),
    write: (all) => {
      if (disk.isFull) throw new Error("disk full");
      writes.push(all.map((object) => object.slice(-1)));
    },
    erase: (object) => void erased.push(object.slice(-1)),
  });
  return { clock, writes, erased, disk, notes };
}

describe("what is noted about the same time", () => {
  test("is written at once, and whoever waits hears of it then", async () => {
    const { clock, writes, notes } = start();
    notes.note(noted("a"));
    const first = notes.written();
    notes.note(noted("b"));
    const second = notes.written();

    expect(writes).toEqual([]);
    clock.pass(10);
    await Promise.all([first, second]);
    expect(writes).toEqual([["a", "b"]]);
    expect(clock.pending).toBe(0);
  });

  test("has no row where it was forgotten before that", async () => {
    const { clock, writes, erased, notes } = start();
    notes.note(noted("a"));
    notes.note(noted("b"));
    const written = notes.written();
    notes.forget(noted("a"));

    clock.pass(10);
    await written;
    notes.forget(noted("b"));
    expect(writes).toEqual([["b"]]);
    expect(erased).toEqual(["b"]);
  });
});

test("while many come they are written some times in a second, and the first of them at once", async () => {
  const { clock, writes, notes } = start();
  for (let i = 0; i < 100; i++) {
    notes.note(noted(`${i}`));
    void notes.written();
    clock.pass(2);
  }
  clock.pass(1_000);

  expect(writes.flat()).toHaveLength(100);
  expect(writes[0]).toHaveLength(3);
  expect(writes).toHaveLength(5);
});

test("where nothing is due, nobody waits and nothing is written", async () => {
  const { clock, writes, notes } = start();

  await notes.written();
  expect([writes, clock.pending]).toEqual([[], 0]);
});

test("what could not be written is due still, and who waited is told", async () => {
  const { clock, writes, disk, notes } = start();
  disk.isFull = true;
  notes.note(noted("a"));
  const written = notes.written();
  clock.pass(10);
  await expect(written).rejects.toThrow("disk full");

  disk.isFull = false;
  const again = notes.written();
  clock.pass(10);
  await again;
  expect(writes).toEqual([["a"]]);
});
