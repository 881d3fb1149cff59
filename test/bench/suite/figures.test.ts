import { describe, expect, test } from "vitest";
import { report } from "../report.ts";
import { resultAt } from "../sample-result.ts";
import type { SystemName } from "../systems.ts";
import { figures } from "./figures.ts";
import type { Results } from "./results.ts";

const MACHINE: Results["machine"] = {
  cores: 2,
  cpu: "a CPU",
  memoryGb: 8,
  kernel: "6.1",
  node: "v24",
  workerd: "1.2026",
  kafka: "4.3.0",
  commit: "abc1234",
  loadBefore: 0.25,
};

const results = (parts: Results["parts"], taken: Results["taken"] = {}): Results => ({
  date: "2026-11-21",
  machine: MACHINE,
  parts,
  taken,
});

describe("the figures", () => {
  test("tell date, machine and commit, and nothing of what was not measured", () => {
    const text = figures(results({}));

    expect(text).toContain("Measured on 2026-11-21, commit abc1234: 2 cores (a CPU)");
    expect(text).not.toContain("#");
    expect(text).not.toContain("|");
  });

  test("hold a row for each run of a series, with its latencies and its losses", () => {
    const text = figures(results({ partitions: [resultAt(7), resultAt(9, { lost: 3 })] }));

    expect(text).toContain(
      "| 1 partition | 10 | 70 | 0.0 | 1.00 | 0 | 1.00 | 1.00 | 1.00 | 7.00 | 7.00 | 7.00 |",
    );
    expect(text).toMatch(/\| 1 partition \| 10 \| 10 \|.* \| 3 \| 0 \| 0 \|/);
    expect(text).toContain("(results/partitions.svg)");
  });

  test("name the runs of a series by what changes", () => {
    const { settings } = resultAt(7);
    const subscribers = [
      resultAt(7, { settings: { ...settings, clients: 100, endpoints: 100 } }),
      resultAt(7, { settings: { ...settings, clients: 5_000, endpoints: 1 } }),
    ];
    const text = figures(results({ subscribers, endpoints: [resultAt(7)] }));

    expect(text).toMatch(
      /\| 1 subscriber \|[\s\S]*\| 5,000 subscribers \|[\s\S]*\(results\/subscribers\.svg\)/,
    );
    expect(text).toMatch(/\| 1 endpoint \|[\s\S]*\(results\/endpoints\.svg\)/);
  });

  test("say of several origins what they read, and that they share the machine", () => {
    const bounds = { p99Ms: 100, cpuPercent: 75 };
    const [first, good] = [resultAt(9), resultAt(80)];
    const cold = { seconds: 4, recordsPerSecond: 250, cpuPerRecord: 5 };
    const text = figures(
      results({
        consumers: {
          partitions: 12,
          backlog: { records: 1_000, keys: 10, watched: 1, payload: 512 },
          starts: [{ origins: 2, cold, warmSeconds: 0.5 }],
          live: [{ origins: 2, bounds, steps: [first, good], good, why: "p99 is above 100 ms" }],
        },
      }),
    );

    expect(text).toContain("A topic of 12 partitions");
    expect(text).toContain("| 2 origins | 4.00 | 250 | 5.00 | 0.500 |");
    expect(text).toMatch(/\| 2 origins \| 10 \| 90 \|/);
    expect(text).toMatch(/\| 2 origins, at the limit \| 10 \| 800 \|/);
    expect(text).toContain("2 origins: 80 updates/s; past that, p99 is above 100 ms.");
    expect(text).toContain("not what more machines would gain");
  });

  test("tell the limit with replicas, and where it has none", () => {
    const bounds = { p99Ms: 100, cpuPercent: 75 };
    const limit = { bounds, steps: [resultAt(80)], good: resultAt(80), why: "p99 is above 100 ms" };

    expect(figures(results({ replicated: { limit, half: resultAt(40) } }))).toMatch(
      /### The same with replicas[\s\S]*800 messages\/s[\s\S]*\| half of the limit \| 10 \| 400 \|/,
    );
    expect(figures(results({ replicated: { limit: undefined, half: undefined } }))).toContain(
      "It did not fit this machine.",
    );
  });

  test("say the cost of the product in parts of its floors", () => {
    const edge = {
      distributary: { a: 150, b: 26, worst: 0.05 },
      "floor-uplink": { a: 100, b: 20, worst: 0.04 },
    };
    const floor = resultAt(4, {
      cpu: { edge: 8 },
      settings: { ...resultAt(4).settings, system: "floor-uplink" },
    });
    const text = figures(results({ cost: { results: [resultAt(4), floor], edge, origin: undefined } }));

    expect(text).toContain("a is 1.50 times, and b 1.30 times");
    expect(text).toContain("1.25 to 1.25 times the CPU of the floor with the same hops");
    expect(text).not.toContain("messages by the origin");
  });

  test("say how many messages the product and its floor were given for the same updates", () => {
    const edge = { distributary: { a: 150, b: 26, worst: 0.05 } };
    const counted = (system: SystemName, uplink: number) =>
      resultAt(4, {
        settings: { ...resultAt(4).settings, system },
        operations: {
          "websocket_message_in.shard_uplink": uplink,
          "websocket_message_in.endpoint_link": 100_000,
        },
      });
    const all = [
      counted("distributary", 50_000),
      counted("distributary", 70_000),
      counted("floor-uplink", 90_000),
    ];
    const text = figures(results({ cost: { results: all, edge, origin: undefined } }));

    expect(text).toContain("were sent 0.600 and 0.900 messages by the origin, and the objects 1.00 and 1.00");
  });

  test("name the limit, what it costs and what ended it", () => {
    const good = resultAt(80);
    const bounds = { p99Ms: 100, cpuPercent: 75 };
    const distributary = { bounds, steps: [good], good, why: "p99 is above 100 ms" };
    const half = { distributary: resultAt(40), floor: undefined };
    const text = figures(results({ limits: { distributary, floor: undefined, half } }));

    expect(text).toContain("Distributary: 800 messages/s, with 33.0 µs of CPU");
    expect(text).toContain("past that, p99 is above 100 ms.");
    expect(text).toContain("| half of the limit | 10 | 400 |");
  });

  test("say which parts were measured at another commit, or were a trial", () => {
    const taken = {
      payload: { commit: "abc1234", scale: 1 },
      storm: { commit: "0ld0000", scale: 1 },
      cost: { commit: "abc1234", scale: 0.3 },
    };
    const text = figures(results({}, taken));

    expect(text).toContain("`storm` was measured at commit 0ld0000.");
    expect(text).toContain("`cost` was a **trial**, its durations multiplied by 0.3.");
    expect(text).not.toContain("`payload`");
  });
});

test("a report says what went wrong and an example of it", () => {
  const text = report(
    resultAt(4, {
      lost: 2,
      violations: 1,
      violation: "e:7 after 6 came at 4",
      closes: 3,
      close: "4001 slow",
    }),
  );

  expect(text).toContain("lost         2, duplicated 0");
  expect(text).toContain("1 out of order (e:7 after 6 came at 4), 3 connections broken (4001 slow)");
});
