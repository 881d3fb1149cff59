/** One run, from the start of the rig to its results. */

import { eventually } from "../support/deadline.ts";
import { counted, dwindled, type Held, heldBy } from "../support/leftovers.ts";
import { allCame } from "./awaited.ts";
import { check } from "./checker.ts";
import { Crowding } from "./crowding.ts";
import { type EdgeProcess, RELAYS } from "./edge-process.ts";
import type { WrittenLog } from "./history.ts";
import type { Kind } from "./kinds/kind.ts";
import { KINDS } from "./kinds/kinds.ts";
import { staleLatest } from "./latest.ts";
import { NotInjected } from "./not-injected.ts";
import { INDEX_BYTES } from "./parts.ts";
import { checkPublishes } from "./publishing/publish-checker.ts";
import type { Results } from "./report.ts";
import { PUBLISHED, Rig, type RigSettings } from "./rig.ts";
import { Runner } from "./runner.ts";
import { scaleOf } from "./scale.ts";
import { type Plan, planOf } from "./schedule.ts";
import type { Subscriber } from "./subscriber.ts";
import { recordsOf } from "./topics.ts";

export interface RunSettings extends RigSettings {
  readonly seconds: number;
  /** How often each kind comes by itself in the end, when all before it have settled. */
  readonly alone: number;
  /** Names of kinds. */
  readonly kinds: readonly string[];
  readonly say: (line: string) => void;
  /** Says what each fault did, and in the end what the processes said. */
  readonly verbose: boolean;
}

/** Until what was acknowledged first has come. */
const CALM_MS = 2_000;
const VERDICT_MS = 240_000;
const CATCH_UP_MS = 60_000;
/** Who vanished is found out in 30 s (S9), and an endpoint that nobody watches is detached after 30 s (L5). */
const DETACH_MS = 90_000;
/** More than this by the end, over a process that had just begun to serve, is a leak. */
const GROWTH_MEGABYTES = 300;
/** Of what is wrong in the same way. */
const MOST_TOLD = 20;
/** Connections of this run's own questions, which it keeps for the next. */
const OWN_CONNECTIONS = 4;

export async function faultRun(settings: RunSettings): Promise<Results> {
  const { seed, seconds, say } = settings;
  const kinds = KINDS.filter(({ name }) => settings.kinds.includes(name));
  const hear = settings.verbose ? (name: string, line: string) => say(`${name}: ${line}`) : () => {};
  const rig = await Rig.start({ ...settings, hear });
  try {
    const missing = kinds.flatMap((kind): [string, string][] => {
      const why = kind.missing?.(rig);
      return why === undefined ? [] : [[kind.name, why]];
    });
    const possible = kinds.filter(({ name }) => !missing.some(([one]) => one === name));
    // One that goes before its first verdict may not be back for long.
    const waiting = [...rig.population.all];
    const hasVerdict = ({ position, isWanted = true }: Subscriber) => !isWanted || position !== undefined;
    await eventually(
      () => allCame(waiting, hasVerdict),
      () => {
        const [first, ...others] = waiting.filter((one) => !hasVerdict(one));
        const closes = JSON.stringify(Object.fromEntries(first?.closes ?? []));
        return `every subscriber has a verdict; ${first?.name} of ${first?.endpoint} has none and was closed by ${closes}, nor have ${others.length} others`;
      },
      VERDICT_MS,
    );
    const before = held(rig);
    const { faults } = scaleOf(settings.connections);
    const often = possible.map((kind) => ({ ...kind, perTenMinutes: kind.perTenMinutes * faults }));
    const plan = planOf(often, { seed, alone: settings.alone, fromMs: CALM_MS, toMs: seconds * 1_000 });
    const { together, togetherMs, alone, endMs } = plan;
    say(
      `${together.length} faults in ${Math.round(togetherMs / 1_000)} s, then ${alone.length} one by one until ${Math.round(endMs / 1_000)} s; ${rig.population.all.length} subscriptions, ${rig.population.connections} connections of many, ${rig.publishers.count} publishers`,
    );
    const runner = new Runner(rig, possible, say, settings.verbose);
    const began = performance.now();
    const crowding = new Crowding();
    await runner.run(plan);
    const took = (performance.now() - began) / 1_000;
    const crowded = crowding.end();
    // As they were before, so that what is held can be compared.
    if (rig.crews.atWork.slices > 1)
      await rig.crews
        .relieve("stop", () => {})
        .catch((error: Error) => {
          if (!(error instanceof NotInjected)) throw error;
          say(`what origins hold can't be compared: ${error.message}`);
        });

    rig.population.recall();
    const log = await rig.topics.writtenLog(rig.writers);
    await hasAll(rig, log).catch((error: Error) => say(error.message));
    const { made } = rig.publishers;
    const publishes = { made, findings: checkPublishes(made, await rig.topics.published(PUBLISHED)) };
    const stale: string[] = [];
    for (const { url } of rig.edges) stale.push(...(await staleLatest(url, log)));
    const after = held(rig);
    const left = await leave(rig);
    // A run of ten minutes writes more than an index holds, and keys move to other partitions where some are added.
    const mayBeDropped = (id: number, written: number) =>
      rig.ledger.bytesBetween(id, written) > INDEX_BYTES / 2;
    const findings = rig.population.all.map(({ name, endpoint, from, happenings }) =>
      check({ subscriber: name, endpoint, from, happenings }, log, mayBeDropped),
    );
    return {
      seed,
      seconds: took,
      kinds,
      missing,
      planned: planned(possible, plan),
      injected: runner.injected,
      findings,
      publishes,
      produced: rig.ledger.producedAt.length,
      failed: rig.ledger.failed,
      events: eventsOf(rig),
      dueOf: dueOf(rig, log),
      recovered: runner.recovered,
      leftovers: [crowded, ...memory(before, after), ...left.lines],
      wrong: [
        ...rig.wrong,
        ...rig.population.wrong.slice(0, MOST_TOLD),
        ...stale,
        ...unlogged(rig, log),
        ...growth(before, after),
        ...left.wrong,
      ],
    };
  } finally {
    await rig.stop();
  }
}

function eventsOf({ crews }: Rig): Map<string, number> {
  const events = new Map<string, number>();
  for (const origin of crews.all)
    for (const [name, times] of origin.events) events.set(name, (events.get(name) ?? 0) + times);
  return events;
}

function planned(kinds: readonly Kind[], { together, alone }: Plan): Map<string, number> {
  const all = [...together, ...alone];
  return new Map(kinds.map(({ name }) => [name, all.filter(({ kind }) => kind === name).length]));
}

/** Also what no producer was told of may be in the log, and is due. */
async function hasAll(rig: Rig, log: WrittenLog): Promise<void> {
  const ends = rig.population.all.flatMap((subscriber) =>
    [...log].flatMap(([epoch, { isVoid, records }]) => {
      const last = records.get(subscriber.endpoint)?.findLast(({ vanished }) => !vanished);
      return isVoid || last === undefined ? [] : [{ subscriber, epoch, offset: last.offset }];
    }),
  );
  await eventually(
    () => allCame(ends, (end) => rig.isReached(end)),
    "every subscriber has all that the log holds",
    CATCH_UP_MS,
  );
}

function dueOf(rig: Rig, log: WrittenLog): number[] {
  const subscribers = Map.groupBy(rig.population.all, ({ endpoint }) => endpoint);
  const due: number[] = [];
  for (const { records } of log.values())
    for (const [endpoint, list] of records)
      for (const { id } of list) due[id] = subscribers.get(endpoint)?.length ?? 0;
  return Array.from(due, (count = 0) => count);
}

/** What was acknowledged must be in the log, or the run judges against a log that isn't true. */
function unlogged({ ledger }: Rig, log: WrittenLog): string[] {
  const ids = new Set(Array.from(recordsOf(log), ({ id }) => id));
  const absent = [...ledger.acknowledged].filter((id) => !ids.has(id));
  return absent.length === 0 ? [] : [`Kafka lost ${absent.length} records that it had acknowledged`];
}

/** The one that has this port, since both may be on the same runtime. */
const nameOf = ({ runtime, port }: EdgeProcess) => `the edge on ${runtime} at ${port}`;

type AllHeld = ReadonlyMap<string, Held>;

function held({ edges, origins }: Rig): AllHeld {
  const all = new Map<string, Held>();
  for (const edge of edges) if (edge.pid !== undefined) all.set(nameOf(edge), heldBy(edge.pid));
  for (const { name, pid } of origins) if (pid !== undefined) all.set(name, heldBy(pid));
  return all;
}

function memory(before: AllHeld, after: AllHeld): string[] {
  return Array.from(
    after,
    ([name, { residentMegabytes }]) =>
      `${name}: ${before.get(name)?.residentMegabytes} MB resident at the start, ${residentMegabytes} MB at the end`,
  );
}

function growth(before: AllHeld, after: AllHeld): string[] {
  return Array.from(after).flatMap(([name, { residentMegabytes }]) => {
    const atFirst = before.get(name)?.residentMegabytes ?? residentMegabytes;
    return residentMegabytes - atFirst > GROWTH_MEGABYTES ? [`the memory of ${name} grew`] : [];
  });
}

/** Those of the objects that have any, links included. */
async function socketsOf(edge: EdgeProcess, endpoints: readonly string[]): Promise<Record<string, unknown>> {
  const objects = [...endpoints.map((path) => ({ path })), ...allRelays()];
  const counts = await Promise.all(
    objects.map(async (one) => {
      const count = await edge.hook("sockets", one).then((answer) => answer.json(), String);
      return ["path" in one ? one.path : `relay ${one.relay}`, count] as const;
    }),
  );
  return Object.fromEntries(counts.filter(([, count]) => count !== 0));
}

const allRelays = () => Array.from({ length: RELAYS }, (_, relay) => ({ relay: String(relay) }));

/** Endpoints that are watched, and links. Rejects where a shard doesn't say. */
async function watchedAndLinks(edge: EdgeProcess): Promise<number> {
  const health = await fetch(`${edge.url}/$/health`, { signal: AbortSignal.timeout(10_000) });
  const { shards } = (await health.json()) as {
    shards: { readonly connected: boolean; readonly watched: number; readonly links: number }[];
  };
  // One that is silent counts nothing.
  if (!shards.every(({ connected }) => connected)) throw new Error("a shard doesn't say");
  return shards.reduce((sum, { watched, links }) => sum + watched + links, 0);
}

interface Left {
  readonly lines: readonly string[];
  readonly wrong: readonly string[];
}

/** All subscribers go, half of them from objects that are asleep; then nothing of them may be left. */
async function leave(rig: Rig): Promise<Left> {
  const { endpoints } = rig.population;
  const asleep = [...endpoints.map((path) => ({ path })), ...allRelays()].filter((_, i) => i % 2 === 0);
  await Promise.allSettled(rig.edges.flatMap((edge) => asleep.map((one) => edge.hook("evict", one))));
  await rig.population.close();
  for (const proxy of rig.links.clients) proxy.cut();
  const left = await Promise.all(
    rig.edges.map((edge, i) => leftAt(edge, rig.connectionsAtFirst[i] ?? 0, endpoints)),
  );
  return { lines: left.flatMap(({ lines }) => lines), wrong: left.flatMap(({ wrong }) => wrong) };
}

async function leftAt(edge: EdgeProcess, atFirst: number, endpoints: readonly string[]): Promise<Left> {
  const wrong: string[] = [];
  const watched = await dwindled(() => watchedAndLinks(edge), 0, DETACH_MS);
  if (watched !== 0)
    wrong.push(
      `left behind: ${watched} watched or linked; ${JSON.stringify(await socketsOf(edge, endpoints))}`,
    );
  // Descriptors of connections that were reset while they were let in stay with workerd for good.
  const now = () => (edge.pid === undefined ? undefined : heldBy(edge.pid));
  const enough = atFirst + OWN_CONNECTIONS;
  const connections = (await dwindled(() => now()?.connections.length ?? 0, enough, DETACH_MS)) ?? 0;
  const of = `${nameOf(edge)} has ${connections} connections (${counted(now()?.connections ?? [])}), at first ${atFirst}`;
  if (connections > enough) wrong.push(of);
  return {
    lines: [
      `after all had left: ${watched} watched or linked; ${of}, and ${now()?.reset} descriptors of such that were reset`,
    ],
    wrong,
  };
}
