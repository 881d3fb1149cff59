/** What an origin keeps of revocations, over its own restarts. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { KeptRevocations } from "../../../origin/revocations/kept.ts";
import type { Revocation } from "../../../shared/protocol/revocation.ts";

let folder: string;
let file: string;
let now: number;
let failures: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "distributary-revocations-"));
  file = join(folder, "origin", "revocations.json");
  now = 1_000;
  failures = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = () => new KeptRevocations(file, { now: () => now, failed: (why) => failures.push(why) });

function revocation(more: Partial<Revocation> = {}): Revocation {
  const meant = { of: "subject", issuer: "i", subject: "alice", before: 1 } as const;
  return { id: "r", meant, graceMs: 0, madeAt: 500, until: 60_000, ...more };
}

test("[D4] it is there after a restart, and so is that it was lifted", () => {
  const kept = open();
  expect([kept.keep(revocation()), kept.keep(revocation({ id: "other", lifted: true }))]).toEqual([
    true,
    true,
  ]);

  expect(open().all()).toEqual([revocation(), revocation({ id: "other", lifted: true })]);
});

test("[D4] of two of an issuer and id the newer one counts, whichever came first; at the same time the lifted one", () => {
  const newer = revocation({ madeAt: 501, lifted: true });
  const kept = open();
  for (const one of [newer, revocation(), revocation({ madeAt: 501 })]) expect(kept.keep(one)).toBe(true);
  expect(kept.all()).toEqual([newer]);

  kept.keep(revocation({ madeAt: 502 }));
  expect(open().all()).toEqual([revocation({ madeAt: 502 })]);
});

test("[D4] one that has lapsed is told to nobody, and goes with the next that comes", () => {
  const kept = open();
  kept.keep(revocation({ until: 2_000 }));
  now = 2_000;
  expect(kept.all()).toEqual([]);

  kept.keep(revocation({ id: "b" }));

  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ revocations: [revocation({ id: "b" })] });
});

test("[D4] what a disk takes only in part isn't kept, and what was there stays", () => {
  open().keep(revocation());
  const given = revocation({ id: "x".repeat(40) });
  const script = `
    import { KeptRevocations } from ${JSON.stringify(new URL("../../../origin/revocations/kept.ts", import.meta.url).href)};
    const kept = new KeptRevocations(${JSON.stringify(file)}, { now: () => 1_000, failed: () => undefined });
    const given = ${JSON.stringify(given)};
    const all = Array.from({ length: 200 }, (_, i) => kept.keep({ ...given, id: given.id + i }));
    console.log(JSON.stringify([all[0], all.at(-1), kept.all().length]));`;
  // Of a file it takes some kilobytes, and then no more.
  const limited = ["-c", 'ulimit -f 16; exec "$0" --input-type=module -e "$1"', process.execPath, script];
  const [first, last, count] = JSON.parse(execFileSync("sh", limited, { encoding: "utf8" }));

  expect([first, last]).toEqual([true, false]);
  expect(open().all()).toHaveLength(count);
  expect(failures).toEqual([]);
});

test("[D4] what can't be written isn't kept, and that is said", () => {
  writeFileSync(join(folder, "origin"), "a file where the folder should be");
  const kept = open();
  failures.length = 0;

  expect(kept.keep(revocation())).toBe(false);

  expect(kept.all()).toEqual([]);
  expect(failures).toHaveLength(1);
});

test("[D4] a file that can't be read is told of, and begun anew", () => {
  open().keep(revocation());
  writeFileSync(file, '{"revocations":[{"id":1}]}');

  const kept = open();

  expect(failures).toEqual([expect.stringContaining("holds no list of revocations")]);
  expect([kept.all(), kept.keep(revocation({ id: "b" })), open().all().length]).toEqual([[], true, 1]);
});

test("[D4] so many are kept and no more; one in the place of another needs no room", () => {
  const many = Array.from({ length: 20_000 }, (_, i) => revocation({ id: `${i}` }));
  open().keep(revocation());
  writeFileSync(file, JSON.stringify({ revocations: many }));
  const kept = open();

  expect(kept.keep(revocation({ id: "more" }))).toBe(false);
  expect(kept.keep(revocation({ id: "7", madeAt: 501, lifted: true }))).toBe(true);
  expect(kept.all()).toHaveLength(20_000);
});
