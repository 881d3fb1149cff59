import { beforeEach, expect, test } from "vitest";
import { LEDGER_ENTRY_BYTES, Ledger } from "../../../origin/publish/ledger.ts";
import type { Mark } from "../../../origin/publish/mark.ts";

const mark = (id: string, fingerprint = "same"): Mark => ({ id, fingerprint, secret: "s" });
const at = (id: string, offset: number, timestamp = 0, fingerprint = "same") => ({
  ...mark(id, fingerprint),
  offset,
  timestamp,
});

let room: { left: number };

beforeEach(() => {
  room = { left: 1_000_000 };
});

function ledgerOf(known: readonly ReturnType<typeof at>[], maxEntries?: number): Ledger {
  const ledger = new Ledger(1_000, room, maxEntries);
  for (const publish of known) ledger.learn(publish);
  return ledger;
}

test("a publish is new, done where it is, or another one's", () => {
  const ledger = ledgerOf([at("a", 5)]);

  expect(ledger.find([mark("b")])).toEqual({ kind: "new" });
  expect(ledger.find([mark("a")])).toEqual({ kind: "done", offset: 5 });
  expect(ledger.find([mark("a", "other")])).toEqual({ kind: "other" });
});

test("of several records with one id the first in the log is the publish, in whatever order they are learnt", () => {
  const ledger = ledgerOf([at("a", 5), at("a", 3, 0, "first"), at("a", 9)]);

  expect(ledger.find([mark("a", "first")])).toEqual({ kind: "done", offset: 3 });
  expect(ledger.find([mark("a")])).toEqual({ kind: "other" });
});

test("a publish is found as any secret marks it, and the first in the log counts", () => {
  const ledger = ledgerOf([at("old", 3), at("new", 7)]);

  expect(ledger.find([mark("new"), mark("old")])).toEqual({ kind: "done", offset: 3 });
  expect(ledger.find([mark("newest"), mark("new")])).toEqual({ kind: "done", offset: 7 });
});

test("what is older than is kept is forgotten, and nothing else, however full it is", () => {
  const ledger = ledgerOf([at("a", 1, 0), at("b", 2, 500), at("c", 3, 1_000)], 3);
  expect(ledger.isFull).toBe(true);

  ledger.forget(1_000);
  expect(ledger.size).toBe(3);
  ledger.forget(1_501);

  expect(ledger.isFull).toBe(false);
  expect(["a", "b", "c"].map((id) => ledger.find([mark(id)]).kind)).toEqual(["new", "new", "done"]);
});

test("all ledgers together have a bound, which none takes more of than it leaves, and what is forgotten is given back", () => {
  room.left = 9 * LEDGER_ENTRY_BYTES;
  const [one, other] = [ledgerOf([]), ledgerOf([])];
  let count = 0;
  for (; !one.isFull; count++) one.learn(at(`${count}`, count));
  expect(count).toBe(4);
  expect(other.isFull).toBe(false);

  one.learn(at("0", 0));
  expect(room.left).toBe(5 * LEDGER_ENTRY_BYTES);
  one.forget(2_000);
  expect([one.isFull, room.left]).toEqual([false, 9 * LEDGER_ENTRY_BYTES]);
  one.learn(at("again", 10));
  one.clear();
  expect(room.left).toBe(9 * LEDGER_ENTRY_BYTES);
});

test("what the log holds is known though there is no room for it, and nothing new is taken then", () => {
  room.left = 0;
  const ledger = ledgerOf([at("a", 1)]);

  expect([ledger.find([mark("a")]).kind, ledger.isFull]).toEqual(["done", true]);
});
