import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Batches } from "../../../origin/index/batches.ts";
import { IndexedPartitions } from "../../../origin/index/indexed-partitions.ts";
import { Ingest } from "../../../origin/index/ingest.ts";
import { Retention } from "../../../origin/index/retention.ts";
import { type OpenFile, openFile } from "../../../origin/index/schema.ts";
import { Tails } from "../../../origin/index/tails.ts";
import { batch, ROOMY, record } from "../../support/index-records.ts";

const TOPICS = new Map([["t", { maxAgeMs: undefined, keepLatest: false }]]);
const MEGABYTE = 1024 * 1024;
const VALUE = "x".repeat(MEGABYTE / 8);

let folder: string;
let file: OpenFile;
let now: number;
let commits: number[];
const writeBehind = { isFinishing: false, committed: (bytes: number) => commits.push(bytes) };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "distributary-ingest-"));
  file = openFile(folder, (opened) => opened).loaded;
  now = 1_000;
  commits = [];
});
afterEach(() => {
  file.db.close();
  file.lock.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Takes records of one partition, and says whether a commit is due. */
function begin() {
  const partitions = new IndexedPartitions(file.db, () => false);
  const batches = new Batches(file.db);
  const tails = new Tails(file.db, 1_024, 0);
  const retention = new Retention(partitions, batches, tails, TOPICS, ROOMY);
  const ingest = new Ingest(file.db, partitions, batches, tails, retention, () => now, writeBehind);
  const partition = partitions.insert("t", 0, "a", 0);
  const append = (offset: number) => ingest.append(partition, batch(record(offset, "k", VALUE)));
  const appendKeyless = (offset: number) => {
    ingest.append(partition, batch({ ...record(offset, "k", VALUE), key: null }));
  };
  return { append, appendKeyless, isDue: () => ingest.isDue() };
}

test("what is buffered is written once it is a megabyte", () => {
  writeBehind.isFinishing = false;
  const { append } = begin();

  for (let offset = 0; offset < 33; offset++) append(offset);

  expect(commits.map((bytes) => Math.floor(bytes / MEGABYTE))).toEqual([1, 1, 1, 1]);
});

test("while the rest of the log of commits is written back eight megabytes are buffered, and no more", () => {
  writeBehind.isFinishing = true;
  const { append } = begin();

  for (let offset = 0; offset < 129; offset++) append(offset);

  expect(commits.map((bytes) => Math.floor(bytes / MEGABYTE))).toEqual([8, 8]);
});

test("what came along with what is buffered is written after eight megabytes: buffered records are views of that", () => {
  writeBehind.isFinishing = false;
  const { append, appendKeyless } = begin();

  append(0);
  for (let offset = 1; offset < 100; offset++) appendKeyless(offset);

  expect(commits).toHaveLength(1);
});

test("while the rest of the log of commits is written back what has waited long enough is written all the same", () => {
  writeBehind.isFinishing = true;
  const { append, isDue } = begin();

  append(0);

  expect(isDue()).toBe(false);
  now += 200;

  expect(isDue()).toBe(true);
});
