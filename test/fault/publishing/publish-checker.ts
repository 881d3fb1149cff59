/**
 * Judges what publishers were told against what the log holds: each publish that was acknowledged is there once, at the
 * position that it was told, and each client's are in the order in which it sent them. Pure. Nothing here is shared with
 * the product.
 */

/** How one request was answered. `none`: its connection broke, or its client gave up waiting. */
export type Answer =
  | { readonly kind: "acknowledged"; readonly position: string }
  | { readonly kind: "error"; readonly code: string; readonly retry: boolean }
  | { readonly kind: "none" };

/** What one client wanted in the log once, and all that it was told of it. */
export interface Publish {
  /** The number of its record: its value has it or, of a tombstone, a header. */
  readonly id: number;
  /** Sends the next one when it knows of this one, or that this one failed. */
  readonly client: string;
  readonly endpoint: string;
  /** null is a tombstone. */
  readonly value: string | null;
  /** One for each request, in order; all had the same idempotency key. */
  readonly answers: readonly Answer[];
}

/** A record of the topic, whoever wrote it. */
export interface PublishedRecord {
  readonly offset: number;
  readonly endpoint: string;
  readonly id: number;
  readonly value: string | null;
  /** The header that says who published it; undefined if it has none. */
  readonly client: string | undefined;
}

/** epoch → its records, in the order of their offsets */
export type PublishedLog = ReadonlyMap<string, readonly PublishedRecord[]>;

export interface PublishFindings {
  readonly acknowledged: number;
  /** Publishes of the log, acknowledged or not, each once. */
  readonly logged: number;
  /** Acknowledged, and nowhere in the log. */
  readonly lost: readonly number[];
  /** More than once in the log; an id for each time beyond the first. */
  readonly doubled: readonly number[];
  /**
   * What was told isn't so: the position holds something else, or there were two; it was refused, and is in the log; it was
   * refused for good, although nothing was wrong with it.
   */
  readonly wrong: readonly number[];
  /** In the log before one that the same client had sent earlier. */
  readonly outOfOrder: readonly number[];
  /** The first few of all that is wrong, in words. */
  readonly problems: readonly string[];
}

const PROBLEMS = 20;
/** After these nothing was done, and won't be (W5). */
const CERTAIN: readonly string[] = ["unavailable", "overloaded"];

/** Whether all that a client was told of it says that it isn't in the log, and won't be. */
export const isRefused = ({ answers }: Pick<Publish, "answers">) =>
  answers.length > 0 &&
  answers.every((answer) => answer.kind === "error" && (CERTAIN.includes(answer.code) || !answer.retry));

export function positionsOf({ answers }: Pick<Publish, "answers">): string[] {
  return answers.flatMap((answer) => (answer.kind === "acknowledged" ? [answer.position] : []));
}

interface At {
  readonly epoch: string;
  readonly record: PublishedRecord;
}

/** @param publishes Of each client in the order in which it sent them. */
export function checkPublishes(publishes: readonly Publish[], log: PublishedLog): PublishFindings {
  const byId = recordsById(log);
  const found: Record<"lost" | "doubled" | "wrong" | "outOfOrder", number[]> = {
    lost: [],
    doubled: [],
    wrong: [],
    outOfOrder: [],
  };
  const problems: string[] = [];
  const note = (what: keyof typeof found, { id, client, endpoint }: Publish, problem: string) => {
    found[what].push(id);
    if (problems.length < PROBLEMS) problems.push(`publish ${id} of ${client} to ${endpoint} ${problem}`);
  };
  let acknowledged = 0;
  let logged = 0;
  /** client and epoch → the highest offset of what it sent so far */
  const last = new Map<string, number>();
  for (const publish of publishes) {
    const positions = positionsOf(publish);
    const [first, ...again] = byId.get(publish.id) ?? [];
    if (positions.length > 0) acknowledged++;
    for (const { epoch, record } of again)
      note("doubled", publish, `is in the log again at ${epoch}:${record.offset}`);
    const wrong = wrongAnswer(publish, positions, first);
    if (positions.length > 0 && first === undefined) note("lost", publish, "is nowhere in the log");
    else if (wrong !== undefined) note("wrong", publish, wrong);
    if (first === undefined) continue;
    logged++;
    const line = `${publish.client} ${first.epoch}`;
    const before = last.get(line) ?? -1;
    if (first.record.offset < before)
      note("outOfOrder", publish, `is at ${first.record.offset}, and an earlier one at ${before}`);
    last.set(line, Math.max(before, first.record.offset));
  }
  return { acknowledged, logged, ...found, problems };
}

function recordsById(log: PublishedLog): Map<number, At[]> {
  const byId = new Map<number, At[]>();
  for (const [epoch, records] of log)
    for (const record of records) {
      const known = byId.get(record.id);
      if (known === undefined) byId.set(record.id, [{ epoch, record }]);
      else known.push({ epoch, record });
    }
  return byId;
}

function wrongAnswer(
  publish: Publish,
  positions: readonly string[],
  first: At | undefined,
): string | undefined {
  const refusal = publish.answers.find((answer) => answer.kind === "error" && !answer.retry);
  if (refusal?.kind === "error") return `was refused for good: ${refusal.code}`;
  if (first === undefined) return undefined;
  if (isRefused(publish)) return "was refused, and is in the log";
  const other = positions.find((position) => position !== `${first.epoch}:${first.record.offset}`);
  if (other !== undefined)
    return `was acknowledged at ${other}, and is at ${first.epoch}:${first.record.offset}`;
  const { endpoint, value, client } = first.record;
  if (endpoint !== publish.endpoint || value !== publish.value || client !== publish.client)
    return `is in the log as ${JSON.stringify(first.record)}`;
  return undefined;
}

/** Nothing that was promised was broken. */
export function isClean({ lost, doubled, wrong, outOfOrder }: PublishFindings): boolean {
  return lost.length + doubled.length + wrong.length + outOfOrder.length === 0;
}
