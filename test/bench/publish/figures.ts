/** What publishing cost, as tables in Markdown: medians of the rounds. Pure. */
import type { Latency } from "../histogram.ts";
import { number, short } from "../report.ts";
import { table } from "../suite/tables.ts";
import type { Use } from "./work.ts";

/** The origin's publishing by itself, and the bare producer with batches as large. */
export interface WriterRound {
  readonly own: Use;
  readonly floor: Use;
  readonly perBatch: number;
}

/** The same, each asked over a WebSocket and answering there; the producer knows no publish again. */
export interface AskedRound {
  readonly own: Asked;
  readonly floor: Asked;
}

interface Asked extends Use {
  readonly batches: number;
}

/** The origin's publishing by itself, to some partitions: beside trouble with one more, and without. */
export interface BesideRound {
  readonly without: Latency;
  readonly beside: Latency;
}

/** What the trouble is: another one's open transaction on one broker, or, of three brokers, that nobody leads the partition. */
export interface Beside {
  readonly transaction: readonly BesideRound[];
  readonly leaderless: readonly BesideRound[];
}

interface Latencies {
  readonly acknowledged: Latency;
  readonly delivered: Latency;
}

/** The whole path over HTTP, as fast as clients are answered and at a steady rate; and the bare producer. */
export interface PathRound {
  readonly perSecond: number;
  /** CPU of each publish, in microseconds. */
  readonly edgeUs: number;
  readonly originUs: number;
  readonly perBatch: number;
  readonly floor: Use;
  readonly closed: Latencies;
  readonly paced: Latencies;
  readonly floorPaced: Latency;
}

export interface Loads {
  readonly underWay: number;
  readonly clients: number;
  readonly perSecond: number;
  readonly bytes: number;
}

const cpuEach = ({ cpuUs, count }: Use) => cpuUs / count;
const perSecond = ({ count, wallUs }: Use) => count / (wallUs / 1e6);

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const [under, over] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return under === undefined || over === undefined ? Number.NaN : (under + over) / 2;
}

export function figures(
  alone: readonly WriterRound[],
  asked: readonly AskedRound[],
  beside: Beside,
  paths: readonly (readonly [partitions: number, rounds: readonly PathRound[]])[],
  loads: Loads,
): string {
  const parts = [writerTable(alone, asked, loads)];
  if (beside.transaction.length > 0) parts.push(besideTable(beside, loads));
  if (paths.length > 0) parts.push(pathTable(paths, loads), latencyTable(paths, loads));
  return parts.join("\n\n");
}

function writerTable(
  rounds: readonly WriterRound[],
  asked: readonly AskedRound[],
  { underWay, bytes }: Loads,
): string {
  const of = (what: (round: WriterRound) => number) => median(rounds.map(what));
  const own = of(({ own }) => cpuEach(own));
  const floor = of(({ floor }) => cpuEach(floor));
  const times = of((round) => cpuEach(round.own) / cpuEach(round.floor));
  return table(
    [
      `${bytes} bytes, ${underWay} under way, one partition`,
      "CPU of each, µs",
      "× floor",
      "acknowledged/s",
      "records in a batch",
    ],
    [
      [
        "the origin's publishing by itself",
        short(own),
        short(times),
        number(of((round) => perSecond(round.own))),
        short(of(({ perBatch }) => perBatch)),
      ],
      [
        "bare idempotent producer",
        short(floor),
        "1",
        number(of((round) => perSecond(round.floor))),
        "the same",
      ],
      ...askedRows(asked),
    ],
  );
}

function askedRows(rounds: readonly AskedRound[]): string[][] {
  const of = (what: (round: AskedRound) => number) => median(rounds.map(what));
  const row = (name: string, which: keyof AskedRound, times: string) => [
    ...[name, short(of((round) => cpuEach(round[which]))), times],
    number(of((round) => perSecond(round[which]))),
    short(of((round) => round[which].count / round[which].batches)),
  ];
  if (rounds.length === 0) return [];
  const times = short(of(({ own, floor }) => cpuEach(own) / cpuEach(floor)));
  return [
    row("the origin's publishing, asked over a WebSocket", "own", times),
    row("bare idempotent producer, asked and answering in the same way", "floor", "1"),
  ];
}

export interface Played {
  readonly count: number;
  readonly connections: number;
  readonly edgeUs: number;
  readonly originUs: number;
  readonly wallUs: number;
  readonly latency: Latency;
}

export function playersLine({ count, connections, edgeUs, originUs, wallUs, latency }: Played): string {
  const rate = number(count / (wallUs / 1e6));
  const times = `median ${short(latency.p50)}, p99 ${short(latency.p99)} ms`;
  const cpu = `${short(edgeUs / count)} µs of the edge and ${short(originUs / count)} µs of the origin`;
  return `${number(count)} players on ${number(connections)} connections, ${rate} scores/s: ${cpu} for each; acknowledged after ${times}; each is one record`;
}

type Paths = readonly (readonly [partitions: number, rounds: readonly PathRound[]])[];

const named = (partitions: number) => `${partitions} ${partitions === 1 ? "partition" : "partitions"}`;

function pathTable(paths: Paths, { clients, bytes }: Loads): string {
  return table(
    [
      `${clients} clients over HTTP, ${bytes} bytes`,
      "acknowledged/s",
      "of a partition",
      "edge, µs each",
      "origin, µs each",
      "records in a batch",
      "bare producer with such batches, µs each",
    ],
    paths.map(([partitions, rounds]) => {
      const of = (what: (round: PathRound) => number) => median(rounds.map(what));
      return [
        named(partitions),
        number(of((round) => round.perSecond)),
        number(of((round) => round.perSecond / partitions)),
        short(of(({ edgeUs }) => edgeUs)),
        short(of(({ originUs }) => originUs)),
        short(of(({ perBatch }) => perBatch)),
        short(of(({ floor }) => cpuEach(floor))),
      ];
    }),
  );
}

const latencyRow = (name: string, latencies: readonly Latency[]) => [
  name,
  ...(["p50", "p95", "p99"] as const).map((of) => short(median(latencies.map((one) => one[of])))),
];

function besideTable({ transaction, leaderless }: Beside, { perSecond }: Loads): string {
  const rows = (rounds: readonly BesideRound[], usually: string, then: string) => [
    latencyRow(
      usually,
      rounds.map(({ without }) => without),
    ),
    latencyRow(
      then,
      rounds.map(({ beside }) => beside),
    ),
  ];
  return table(
    ["ms to the acknowledgement", "median", "p95", "p99"],
    [
      ...rows(
        transaction,
        `the origin's publishing by itself, ${perSecond}/s to 2 of 3 partitions`,
        "the same, while another one's transaction is open on the third",
      ),
      ...rows(
        leaderless,
        `of three brokers, ${perSecond}/s to 2 of 3 partitions`,
        "the same, while nobody leads the third",
      ),
    ],
  );
}

function latencyTable(paths: Paths, { perSecond, clients }: Loads): string {
  return table(
    ["ms", "median", "p95", "p99"],
    paths.flatMap(([partitions, rounds]) => [
      latencyRow(
        `${named(partitions)}, ${perSecond}/s: to the acknowledgement`,
        rounds.map(({ paced }) => paced.acknowledged),
      ),
      latencyRow(
        "the same, to the subscriber",
        rounds.map(({ paced }) => paced.delivered),
      ),
      latencyRow(
        "the same rate, bare producer",
        rounds.map(({ floorPaced }) => floorPaced),
      ),
      latencyRow(
        `${named(partitions)}, ${clients} clients as fast as they are answered: to the acknowledgement`,
        rounds.map(({ closed }) => closed.acknowledged),
      ),
      latencyRow(
        "the same, to the subscriber",
        rounds.map(({ closed }) => closed.delivered),
      ),
    ]),
  );
}
