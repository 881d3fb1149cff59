/**
 * The requests that this client knows, and in which versions: of each, the newest that the broker knows as well is used. So it
 * reads whatever speaks Kafka's protocol, and what is missing there is named. docs/kafka.md says which logs have what.
 */
import { SourceError } from "../source/source.ts";

export interface Api {
  readonly key: number;
  /** The versions that this client can use: all from the oldest to the newest. */
  readonly oldest: number;
  readonly newest: number;
  /** From this one on lengths are compact, and fields may be tagged. */
  readonly flexible: number;
  /** What there isn't if the broker has none of these. */
  readonly gives: string;
}

export const APIS = {
  Produce: { key: 0, oldest: 3, newest: 13, flexible: 9, gives: "publishing" },
  Fetch: { key: 1, oldest: 4, newest: 17, flexible: 12, gives: "reading" },
  ListOffsets: { key: 2, oldest: 1, newest: 7, flexible: 6, gives: "reading" },
  Metadata: { key: 3, oldest: 1, newest: 12, flexible: 9, gives: "reading" },
  FindCoordinator: { key: 10, oldest: 1, newest: 3, flexible: 3, gives: "transactions" },
  // Later ones are for brokers among themselves, or give the producer another epoch with every transaction.
  InitProducerId: { key: 22, oldest: 0, newest: 4, flexible: 2, gives: "transactions" },
  AddPartitionsToTxn: { key: 24, oldest: 0, newest: 3, flexible: 3, gives: "transactions" },
  EndTxn: { key: 26, oldest: 0, newest: 3, flexible: 3, gives: "transactions" },
  DescribeConfigs: { key: 32, oldest: 1, newest: 4, flexible: 4, gives: "topic configuration" },
  DescribeTransactions: { key: 65, oldest: 0, newest: 0, flexible: 0, gives: "look at transactions" },
} as const satisfies Record<string, Api>;

export type ApiName = keyof typeof APIS;

/** Which versions a broker knows, by the request's key. */
export type Versions = Readonly<
  Record<number, { readonly minVersion: number; readonly maxVersion: number } | undefined>
>;

/** From these versions on a topic is told by its id. */
export const BY_ID = { Fetch: 13, Produce: 13 } as const;
/** From these versions on Metadata tells topics' ids, and the epochs of their partitions' leaders. */
const IDS_IN_METADATA = 10;
const EPOCHS_IN_METADATA = 7;
/** From this one on a broker sees for itself whether its log still has what was read before. */
const DIVERGENCE_IN_FETCH = 12;

/** The broker has no such request. */
export class UnsupportedError extends SourceError {
  constructor(message: string) {
    super("unavailable", message);
  }
}

/** The bounds within which one request's version must be, if they are narrower than the table's. */
export interface Bounds {
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** The version in which a request is sent; undefined if there is none that both know. */
export function versionOf(name: ApiName, versions: Versions, bounds: Bounds = {}): number | undefined {
  const { key, oldest, newest } = APIS[name];
  const known = versions[key];
  if (known === undefined) return undefined;
  const version = Math.min(newest, bounds.atMost ?? newest, known.maxVersion);
  return version >= Math.max(oldest, bounds.atLeast ?? oldest, known.minVersion) ? version : undefined;
}

/** The same. Throws UnsupportedError, which names what is missing. */
export function chosenVersion(name: ApiName, versions: Versions, bounds: Bounds = {}): number {
  const version = versionOf(name, versions, bounds);
  if (version === undefined) throw new UnsupportedError(missing(name, versions, bounds));
  return version;
}

export const isFlexible = (name: ApiName, version: number) => version >= APIS[name].flexible;

function missing(name: ApiName, versions: Versions, { atLeast, atMost }: Bounds): string {
  const { key, oldest, newest, gives } = APIS[name];
  const known = versions[key];
  const wanted = range(atLeast ?? oldest, atMost ?? newest);
  // Some list what they don't have with versions below 0.
  if (known === undefined || known.maxVersion < 0)
    return `no ${gives}: the broker has no ${name} (this client knows versions ${wanted})`;
  const has = range(known.minVersion, known.maxVersion);
  return `no ${gives}: the broker has ${name} in versions ${has}, this client ${wanted}`;
}

const range = (from: number, to: number) => (from === to ? `${from}` : `${from}–${to}`);

/** What is needed to read. */
const TO_READ = ["Metadata", "ListOffsets", "Fetch"] as const satisfies readonly ApiName[];

/** What is missing on a broker, in words; without any of these it can't be read. */
export function unreadable(versions: Versions): string[] {
  return TO_READ.flatMap((name) => ifMissing(name, versions));
}

/** What is missing on a broker that can be read, in words. */
export function shortcomings(versions: Versions): string[] {
  const metadata = versionOf("Metadata", versions) ?? 0;
  const fetch = versionOf("Fetch", versions) ?? 0;
  const found: string[] = [];
  if (metadata < IDS_IN_METADATA)
    found.push(`no topic ids: the broker has Metadata up to version ${metadata} only; ${REPLACED}`);
  else if (fetch < BY_ID.Fetch)
    found.push(
      `no fetches by topic id: the broker has Fetch up to version ${fetch} only; until the topic is looked at again, ${REPLACED}`,
    );
  if (metadata < EPOCHS_IN_METADATA)
    found.push(
      "no leader epochs: a log that lost records is noticed only if its end is before what was read",
    );
  else if (fetch < DIVERGENCE_IN_FETCH)
    found.push(
      "no look at what was read before: a log that lost records is noticed when its end is before what was read, or what follows is of an older leader",
    );
  const transactions = (["InitProducerId", "FindCoordinator", "AddPartitionsToTxn", "EndTxn"] as const)
    .flatMap((name) => ifMissing(name, versions))
    .slice(0, 1);
  found.push(
    ...transactions,
    ...(transactions.length > 0 ? [] : ifMissing("DescribeTransactions", versions)),
  );
  for (const name of ["Produce", "DescribeConfigs"] as const) found.push(...ifMissing(name, versions));
  return found;
}

/** What is promised of a topic that the log has no id for. */
export const REPLACED =
  "a topic that is deleted and created again is noticed only if its end is before what was read, or its leader's epoch is lower";

function ifMissing(name: ApiName, versions: Versions): string[] {
  return versionOf(name, versions) === undefined ? [missing(name, versions, {})] : [];
}
