import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { check, isClean } from "./checker.ts";
import type { Injected } from "./injected.ts";
import type { Kind } from "./kinds/kind.ts";
import { checkPublishes, type Publish } from "./publishing/publish-checker.ts";
import { DOCUMENTS, renewed } from "./readme.ts";
import { failures, type Results, summary, table } from "./report.ts";

const KIND: Kind = { name: "cut", perTenMinutes: 10, lastsMs: 0, parts: [], inject: async () => {} };

const injected = (fields: Partial<Injected> = {}): Injected => ({
  kind: "cut",
  startedAt: 0,
  goneAt: 10,
  settledAt: 100,
  stallMs: 90,
  waitMs: 100,
  calmMs: 40,
  failure: undefined,
  notInjected: undefined,
  combined: false,
  firstId: 0,
  lastId: 2,
  announced: 0,
  recovered: new Map([["window", 1]]),
  ...fields,
});

const records = new Map([["/t/k", Array.from({ length: 200 }, (_, i) => ({ offset: i, id: i }))]]);
const log = new Map([["a.0", { isVoid: false, isForgotten: false, records }]]);

/** A subscriber that was told of so many records from the first on. */
function findings(count: number) {
  const updates = Array.from({ length: count }, (_, i) => {
    const previous = i === 0 ? undefined : i - 1;
    return { kind: "update", epoch: "a.0", offset: i, previous, id: i } as const;
  });
  const verdict = {
    kind: "verdict",
    from: undefined,
    position: "-",
    recovered: undefined,
    cause: undefined,
    written: 0,
  } as const;
  return check({ subscriber: "s", endpoint: "/t/k", happenings: [verdict, ...updates] }, log);
}

/** Publishes by one client, of which the log holds so many. */
function publishes(held: number) {
  const made = Array.from({ length: 10 }, (_, id) => {
    const publish: Publish = {
      ...{ id, client: "c", endpoint: "/p/k", value: "{}" },
      answers: [{ kind: "acknowledged", position: `p.0:${id}` }],
    };
    return { ...publish, answers: [...publish.answers], lastId: id + 1, startedAt: 0, tookMs: 1_000 };
  });
  const records = made
    .slice(0, held)
    .map(({ id, client, endpoint, value }) => ({ offset: id, id, client, endpoint, value }));
  return { made, findings: checkPublishes(made, new Map([["p.0", records]])) };
}

const RESULTS: Results = {
  seed: 1,
  seconds: 1,
  kinds: [KIND],
  missing: [],
  planned: new Map([["cut", 2]]),
  injected: [injected(), injected({ combined: true, stallMs: 1_234 })],
  findings: [findings(200)],
  publishes: publishes(10),
  produced: 200,
  failed: 0,
  events: new Map(),
  dueOf: Array.from({ length: 200 }, () => 1),
  recovered: new Map([["log", 2]]),
  leftovers: [],
  wrong: [],
};

test("a run in which all was injected and all came doesn't fail", () => {
  expect(failures(RESULTS)).toEqual([]);
  expect(table(RESULTS)).toContain(
    "| cut | 2 (1) | 4 | 0 | 0 | 0 | 0 | 0 | 0.1 | 0.1 | 1.2 | 0.0 | 2 | 0 | 0 |",
  );
});

test.each<[string, Partial<Results>, RegExp]>([
  ["took place too seldom", { injected: [injected()] }, /vacuous: cut took place 1 times of 2/],
  ["failed to take place", { injected: [injected(), injected({ failure: "no" })] }, /vacuous: cut/],
  [
    "had too few kinds that could be injected",
    { injected: [injected({ notInjected: "busy" }), injected({ notInjected: "busy" })] },
    /vacuous: 2 of 2 faults could not be injected, 1 of 1 kinds never took place/,
  ],
  ["delivered too little", { seconds: 10 }, /vacuous: only 200 deliveries were due/],
  [
    "never settled",
    { injected: [injected(), injected({ settledAt: undefined })] },
    /cut: 1 times subscribers never had all/,
  ],
  ["lost something", { findings: [findings(199)] }, /1 records never came/],
  ["lost a publish", { publishes: publishes(9) }, /publish 9 of c to \/p\/k is nowhere in the log/],
  ["left something behind", { wrong: ["workerd holds 100 sockets"] }, /100 sockets/],
])("a run that %s fails, and says why", (_, change, why) => {
  expect(failures({ ...RESULTS, ...change }).join("\n")).toMatch(why);
});

test("what is lost stands in the rows of the faults that were at work when it was produced", () => {
  const lost = { ...RESULTS, findings: [findings(1)] };
  const [row, all] = table(lost).split("\n").slice(2);
  expect(row).toContain("| cut | 2 (1) | 4 | 1 | 0 | 0 | 0 |");
  expect(all).toContain("| 200 | 199 | 0 | 0 | 0 |");
});

test("announced gaps are counted by what justifies them, and none is a failure but one that nothing does", () => {
  const gap = (justification?: "deleted" | "vanished" | "aged") => ({
    cause: "horizon",
    justification,
    records: 1,
  });
  const told = (...announced: ReturnType<typeof gap>[]) => ({
    ...RESULTS,
    findings: [{ ...findings(200), announced }],
  });

  const right = told(gap("deleted"), gap("vanished"), gap("vanished"), gap("aged"));
  expect(table(right)).toContain(
    "1 of topics that were deleted, 2 of records that vanished from Kafka, 1 of records that aged out of the index",
  );
  expect(failures(right)).toEqual([]);

  const wrong = told(gap());
  expect(table(wrong)).toContain("1 wrongly, horizon");
  expect(wrong.findings.every(isClean)).toBe(false);
});

test("a kind that can't be had here stands in the table with the reason, and is no failure", () => {
  const missing = { ...RESULTS, injected: [], missing: [["cut", "no scissors"]] as const };
  expect(table(missing)).toContain("| cut | not run: no scissors |");
  expect(failures(missing)).toEqual([]);
});

describe("a fault that could not be injected on a busy machine", () => {
  const others = Array.from({ length: 9 }, () => injected());
  const one = injected({ notInjected: "not within 30000 ms:\nstandbys | are ready" });
  const busy = { ...RESULTS, injected: [...others, one], planned: new Map([["cut", 10]]) };

  test("is counted in the table with the reason, and is no failure", () => {
    expect(table(busy)).toContain(
      "| cut | 9 (9); 1 not injected, because not within 30000 ms: standbys are ready | 18 |",
    );
    expect(failures(busy)).toEqual([]);
  });

  test("excuses neither one that failed to take place, nor what subscribers missed", () => {
    const failed = [...others.slice(2), injected({ failure: "no" }), injected({ failure: "no" }), one];
    expect(failures({ ...busy, injected: failed })).toEqual(["vacuous: cut took place 7 times of 9: no"]);
    expect(failures({ ...busy, findings: [findings(199)] }).join("\n")).toMatch(/1 records never came/);
  });

  test("fails a run where too many could not", () => {
    const all = [...others, one, one, one, one];
    expect(failures({ ...busy, injected: all }).join("\n")).toMatch(/vacuous: 4 of 13 faults could not/);
  });
});

const FLAGS = { minutes: 10, runtimes: ["workerd", "node"] } as const;

describe.each(DOCUMENTS)("$path", (document) => {
  test("gets its table, and the command that led to it", () => {
    const command = (seed: number, runtimes: string) =>
      `npm run test:fault -- --minutes 10 --seed ${seed} --runtime ${runtimes}`;
    const text = (one: string, rows: string) =>
      `By \`${one}\`:\n\n${rows}\n\nText.\n\n| Other | table |\n\n\`${one}\`\n`;
    const before = text(command(7, "workerd"), `${document.header} lost |\n| --: | --: |\n| 1 | 0 |`);

    expect(renewed(before, document, RESULTS, FLAGS)).toBe(
      text(command(1, "workerd,node"), document.table(RESULTS)),
    );
    expect(() => renewed("nothing", document, RESULTS, FLAGS)).toThrow(`${document.path} has no table`);
  });

  test("has such a table, with the columns that a run writes now, and its command", () => {
    const text = readFileSync(join(import.meta.dirname, "../..", document.path), "utf8");
    const [header] = document.table(RESULTS).split("\n");

    expect(text.split("\n")).toContain(header);
    expect(renewed(text, document, RESULTS, FLAGS)).toContain(
      "npm run test:fault -- --minutes 10 --seed 1 --runtime workerd,node`",
    );
  });
});

test("the totals count faults and kinds", () => {
  expect(summary(RESULTS)).toContain("| 2 of 1 kinds | 200 | 0 | 0 | 0 | 0 | 0 |");
});
