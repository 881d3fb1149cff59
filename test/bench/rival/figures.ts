/** What the systems took beside one another, as medians of their turns, and the table of it. Pure. */
import type { Result } from "../bench.ts";
import { number, short } from "../report.ts";
import { table } from "../suite/tables.ts";

export const RIVALS = ["workerd", "node", "centrifugo"] as const;

export type Rival = (typeof RIVALS)[number];

export const RIVAL_TITLES: Readonly<Record<Rival, string>> = {
  workerd: "Distributary on workerd",
  node: "Distributary on Node",
  centrifugo: "Centrifugo",
};

export interface Shape {
  readonly clients: number;
  readonly endpoints: number;
  /** Updates of each endpoint in a second. */
  readonly rate: number;
}

/** Of one system under one load: medians of the turns, but for what was measured once, when it started. */
export interface Taken {
  readonly turns: number;
  readonly messagesPerSecond: number;
  /** Microseconds of CPU for each delivery: of what clients connect to, and of the origin if it has one. */
  readonly edge: number;
  readonly origin: number;
  readonly both: number;
  readonly p50: number;
  readonly p99: number;
  /** All that ran on the machine, percent of one core. */
  readonly machine: number;
  /** Clients that were cut all at once and came back by position. */
  readonly redialsPerSecond: number;
  /** Once. */
  readonly connectsPerSecond: number;
  readonly bytesPerConnection: number;
}

export interface Turn {
  readonly result: Result;
  readonly redialsPerSecond: number;
}

/** Throws where there is no turn. */
export function takenIn(turns: readonly Turn[]): Taken {
  const [first] = turns;
  if (first === undefined) throw new Error("there was no turn");
  const of = (value: (turn: Turn) => number) => median(turns.map(value));
  const edge = ({ result: { cpuPerDelivery } }: Turn) => cpuPerDelivery.edge ?? cpuPerDelivery.server ?? 0;
  const origin = ({ result }: Turn) => result.cpuPerDelivery.origin ?? 0;
  return {
    turns: turns.length,
    messagesPerSecond: of(({ result }) => result.messagesPerSecond),
    edge: of(edge),
    origin: of(origin),
    both: of((turn) => edge(turn) + origin(turn)),
    p50: of(({ result }) => result.latency.p50),
    p99: of(({ result }) => result.latency.p99),
    machine: of(({ result }) => result.cpu.machine ?? 0),
    redialsPerSecond: of(({ redialsPerSecond }) => redialsPerSecond),
    connectsPerSecond: first.result.connectsPerSecond,
    bytesPerConnection: first.result.bytesPerConnection,
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

/** Bytes that each further connection takes, if so many took what they took. */
export function slope(few: Grown, many: Grown): number {
  return (many.bytes - few.bytes) / (many.clients - few.clients);
}

export interface Grown {
  readonly clients: number;
  /** That the server grew by while they connected. */
  readonly bytes: number;
}

export type ByRival<T> = Readonly<Partial<Record<Rival, T>>>;

export interface Measured {
  readonly shape: Shape;
  readonly taken: ByRival<Taken>;
}

const COLUMNS = [
  "clients × endpoints × updates/s",
  "",
  "edge, µs/delivery",
  "origin",
  "both",
  "p50",
  "p99 (ms)",
  "KiB/connection",
  "connects/s",
  "redials/s",
  "machine (% of a core)",
];

export function shapesTable(measured: readonly Measured[]): string {
  const rows = measured.flatMap(({ shape, taken }) =>
    RIVALS.flatMap((rival) => {
      const one = taken[rival];
      if (one === undefined) return [];
      const origin = one.origin === 0 ? ["", short(one.edge)] : [short(one.origin), short(one.both)];
      return [
        [
          shapeName(shape),
          RIVAL_TITLES[rival],
          short(one.edge),
          ...origin,
          short(one.p50),
          short(one.p99),
          number(one.bytesPerConnection / 1024, 1),
          number(one.connectsPerSecond),
          number(one.redialsPerSecond),
          number(one.machine),
        ],
      ];
    }),
  );
  return table(COLUMNS, rows);
}

export function shapeName({ clients, endpoints, rate }: Shape): string {
  return `${number(clients)} × ${number(endpoints)} × ${number(rate)}`;
}

/** KiB of each connection between the fewest and the most clients. */
export function memoryTable(grown: ByRival<readonly Grown[]>): string {
  const rows = RIVALS.flatMap((rival) => {
    const [few, many] = grown[rival] ?? [];
    if (few === undefined || many === undefined) return [];
    const between = `${number(few.clients)} to ${number(many.clients)}`;
    return [[RIVAL_TITLES[rival], between, number(slope(few, many) / 1024, 1)]];
  });
  return table(["", "clients", "KiB for each further connection"], rows);
}
