/**
 * Judges what a subscriber was told against what the log holds: every record since it came once and in order, or a
 * gap that was announced. Pure.
 *
 * The order of an endpoint is that of offsets within an epoch; there is none across epochs (P6). Records that
 * vanished from the log, by compaction or since they were deleted, are due like any other: they may be missing only
 * where that was announced after they were written.
 */
import {
  formatPosition,
  type Happening,
  type History,
  type Logged,
  type PositionText,
  parsePosition,
  type Written,
  type WrittenLog,
} from "./history.ts";

/** Why nothing else could be said: the topic was deleted, records vanished from the log, or from an index that is short or full. */
export type Justification = "deleted" | "vanished" | "aged";

export interface AnnouncedGap {
  readonly cause: string;
  /** Undefined if the gap is wrong: what was due could be had. */
  readonly justification: Justification | undefined;
  /** Records that were due and are so announced as lost. */
  readonly records: number;
}

export interface Findings {
  /** Records that the subscriber had a right to, without those of announced gaps. */
  readonly due: number;
  /** Due and never delivered. */
  readonly lost: number;
  /** Delivered again, or although the subscriber stood at or past it. */
  readonly duplicated: number;
  /** Delivered after a later one. */
  readonly outOfOrder: number;
  /** Times that records were jumped over which never came, and nothing was said. */
  readonly unannouncedGaps: number;
  /** Times that an update came which names a record after the position of the subscriber as the one before it. */
  readonly holes: number;
  /** Updates that aren't what the log holds at their offset, or name another predecessor than it has. */
  readonly foreign: number;
  /** Verdicts that claim to have recovered from elsewhere than was asked, or that were given unasked. */
  readonly falseVerdicts: number;
  readonly announced: readonly AnnouncedGap[];
  /** The ids of the records that were lost, duplicated, or out of order, as often, and of the first of each gap. */
  readonly records: Readonly<
    Record<"lost" | "duplicated" | "outOfOrder" | "unannouncedGaps", readonly number[]>
  >;
  /** The first few of all that is wrong, in words. */
  readonly problems: readonly string[];
}

const PROBLEMS = 10;

/** Whether an index may have dropped a record, for being full, when so much had been written. */
export type MayBeDropped = (id: number, written: Written) => boolean;

export function check(history: History, log: WrittenLog, mayBeDropped: MayBeDropped = () => false): Findings {
  return new Check(history, log, mayBeDropped).run();
}

/** Whether a subscriber saw everything once and in order, or was told plainly, and rightly, that it could not. */
export function isClean(findings: Findings): boolean {
  const { lost, duplicated, outOfOrder, unannouncedGaps, holes, foreign, falseVerdicts, announced } =
    findings;
  return (
    lost + duplicated + outOfOrder + unannouncedGaps + holes + foreign + falseVerdicts === 0 &&
    announced.every(({ justification }) => justification !== undefined)
  );
}

interface Pardon {
  /** Of records that were produced before that. */
  readonly written: Written;
  /** Nothing was said of the epoch: the origin knew of no record of the key in it. */
  readonly isUntold: boolean;
}

class Check {
  readonly #history: History;
  readonly #log: WrittenLog;
  readonly #mayBeDropped: MayBeDropped;
  /** Where the subscriber stands; undefined until its first verdict. */
  #standing: Map<string, number> | undefined;
  readonly #received = new Set<string>();
  /** Jumped over and not received since, by name: in which jump. */
  readonly #missing = new Map<string, { readonly jump: number; readonly id: number }>();
  /** Epochs that were declared over. */
  readonly #excused = new Set<string>();
  /** epoch → what it was announced of that need not come any more */
  readonly #pardons = new Map<string, Pardon>();
  #jumps = 0;
  readonly #duplicated: number[] = [];
  readonly #outOfOrder: number[] = [];
  #holes = 0;
  #foreign = 0;
  #falseVerdicts = 0;
  readonly #announced: AnnouncedGap[] = [];
  readonly #problems: string[] = [];

  constructor(history: History, log: WrittenLog, mayBeDropped: MayBeDropped) {
    this.#history = history;
    this.#log = log;
    this.#mayBeDropped = mayBeDropped;
    if (history.from !== undefined) this.#standing = parsePosition(history.from);
  }

  run(): Findings {
    for (const happening of this.#history.happenings) this.#take(happening);
    const lost = Array.from(this.#missing.values(), ({ id }) => id);
    for (const [epoch] of this.#log) {
      const left = this.#standing === undefined ? [] : this.#dueAfter(epoch, this.#standing.get(epoch) ?? -1);
      if (this.#excused.has(epoch) || left.length === 0) continue;
      lost.push(...left.map(({ id }) => id));
      this.#problem(`${left.length} records never came, the first ${epoch}:${left[0]?.offset}`);
    }
    if (this.#missing.size > 0) {
      const [first] = this.#missing.keys();
      this.#problem(`${this.#missing.size} records were jumped over and never came, the first ${first}`);
    }
    // The first of each jump: those after it in the map are dropped.
    const gaps = new Map([...this.#missing.values()].reverse().map(({ jump, id }) => [jump, id]));
    const unannouncedGaps = [...gaps.values()];
    return {
      due: this.#received.size + lost.length,
      lost: lost.length,
      duplicated: this.#duplicated.length,
      outOfOrder: this.#outOfOrder.length,
      unannouncedGaps: unannouncedGaps.length,
      holes: this.#holes,
      foreign: this.#foreign,
      falseVerdicts: this.#falseVerdicts,
      announced: this.#announced,
      records: { lost, duplicated: this.#duplicated, outOfOrder: this.#outOfOrder, unannouncedGaps },
      problems: this.#problems,
    };
  }

  #take(happening: Happening): void {
    switch (happening.kind) {
      case "verdict":
        this.#verdict(happening);
        break;
      case "reset":
        if (this.#standing === undefined) this.#falseVerdict("a reset came before any verdict");
        this.#gap(happening.cause, happening.position, happening.written);
        break;
      case "update":
        this.#update(happening);
        break;
      case "hole":
        this.#hole(happening);
    }
  }

  #verdict({ from, position, recovered, cause, written }: Happening & { kind: "verdict" }): void {
    if (this.#standing === undefined || from === undefined) {
      // Nothing was promised before; but who has come once must not come as if it were new.
      if (this.#standing !== undefined)
        this.#falseVerdict("a subscriber that stood somewhere asked from nowhere");
      else this.#pardon(parsePosition(position), written);
      this.#standing ??= parsePosition(position);
      return;
    }
    const isSame = formatPosition(parsePosition(position)) === formatPosition(parsePosition(from));
    if (recovered !== true) this.#gap(cause ?? "none", position, written);
    else if (!isSame) this.#falseVerdict(`recovered from ${from} to ${position}`);
  }

  #falseVerdict(problem: string): void {
    this.#falseVerdicts++;
    this.#problem(problem);
  }

  /** Continuity was declared lost: what follows begins after `position`. */
  #gap(cause: string, position: PositionText, written: Written): void {
    const before = this.#standing ?? new Map<string, number>();
    const after = parsePosition(position);
    const justification = this.#justification(cause, before, written);
    const due = new Map(
      Array.from(this.#log.keys(), (epoch) => [epoch, this.#dueAfter(epoch, before.get(epoch) ?? -1)]),
    );
    this.#pardon(after, written);
    let records = 0;
    for (const [epoch, { isVoid }] of this.#log) {
      const to = after.get(epoch) ?? (isVoid ? Number.POSITIVE_INFINITY : -1);
      const isLost = (record: Logged) => record.offset <= to || this.#isPardoned(epoch, record);
      if (after.has(epoch) || !this.#excused.has(epoch))
        records += due.get(epoch)?.filter(isLost).length ?? 0;
      if (isVoid && !after.has(epoch)) this.#excused.add(epoch);
    }
    this.#announced.push({ cause, justification, records });
    if (justification === undefined)
      this.#problem(
        `a gap with cause ${cause}: from ${formatPosition(before)} to ${position}, when ${written} had been written`,
      );
    this.#standing = after;
  }

  #justification(
    cause: string,
    before: ReadonlyMap<string, number>,
    written: Written,
  ): Justification | undefined {
    if (cause === "epoch")
      return [...before.keys()].some((epoch) => this.#log.get(epoch)?.isVoid) ? "deleted" : undefined;
    if (cause !== "horizon") return undefined;
    const own = [...this.#log].filter(
      ([epoch, { records }]) => before.has(epoch) || records.has(this.#history.endpoint),
    );
    // An origin sees that something vanished from a partition, and not of which key it was. Who stands at a record that
    // was deleted is told, too.
    const hasVanished = own.some(([epoch, { forgetful }]) =>
      forgetful?.vanished.some(({ offset, id }) => offset >= (before.get(epoch) ?? -1) && id < written),
    );
    if (hasVanished) return "vanished";
    const isOld = own.some(([epoch, { records: all }]) => {
      const at = before.get(epoch);
      const records = this.#recordsOf(epoch);
      // Who stands nowhere in an epoch may have missed whatever was in it, of which an index knows only what it hasn't dropped.
      const last = at === undefined ? firstOf(all) : records[indexAfter(records, at) - 1];
      const isDue = at !== undefined || records.some(({ id }) => id < written);
      return isDue && last !== undefined && this.#mayBeDropped(last.id, written);
    });
    return isOld || own.some(([, { isShort }]) => isShort) ? "aged" : undefined;
  }

  /** What was written by now, and can't be had any more, was declared lost; of an epoch that isn't told of, all. */
  #pardon(position: ReadonlyMap<string, number>, written: Written): void {
    for (const epoch of this.#log.keys())
      this.#pardons.set(epoch, { written, isUntold: !position.has(epoch) });
  }

  #isPardoned(epoch: string, { id, vanished }: Logged): boolean {
    const pardon = this.#pardons.get(epoch);
    if (pardon === undefined || id >= pardon.written) return false;
    return vanished === true || (pardon.isUntold && this.#log.get(epoch)?.isShort === true);
  }

  #update(update: Happening & { kind: "update" }): void {
    const { epoch, offset, previous, id } = update;
    const { isForgotten, forgetful } = this.#log.get(epoch) ?? {};
    const name = `${epoch}:${offset}`;
    if (this.#standing === undefined) {
      this.#falseVerdict(`${name} came before a verdict`);
      return;
    }
    const records = this.#recordsOf(epoch);
    const index = indexAfter(records, offset - 1);
    const record = records[index];
    // No producer heard of it, nor could it be read back.
    const isUnheard = record?.offset !== offset && forgetful?.sent.get(this.#history.endpoint)?.has(id);
    if ((record?.offset !== offset || record.id !== id) && !isUnheard) {
      this.#foreign++;
      this.#problem(`${name} came with the value of ${id}; the log holds ${JSON.stringify(record)}`);
      return;
    }
    // Of what vanished an origin may know less, or more.
    const last = records[index - 1];
    const isDropped = last !== undefined && this.#mayBeDropped(last.id, id);
    const mayDiffer = forgetful !== undefined || (previous === undefined && (isForgotten || isDropped));
    if (previous !== last?.offset && !mayDiffer) {
      this.#foreign++;
      this.#problem(`${name} names ${previous} as its predecessor; the log has ${last?.offset}`);
    }
    if (offset <= (this.#standing.get(epoch) ?? -1)) this.#again(name, id);
    else this.#next(this.#standing, update, records, index);
  }

  /** It came at or after its own position. */
  #again(name: string, id: number): void {
    if (this.#missing.delete(name)) {
      this.#outOfOrder.push(id);
      this.#received.add(name);
      this.#problem(`${name} came late`);
    } else {
      this.#duplicated.push(id);
      this.#problem(`${name} came again`);
    }
  }

  #next(
    standing: Map<string, number>,
    { epoch, offset, previous }: Happening & { kind: "update" },
    records: readonly Logged[],
    index: number,
  ): void {
    const at = standing.get(epoch) ?? -1;
    if ((previous ?? -1) > at) this.#hole({ epoch, offset, previous });
    const jumped = records
      .slice(indexAfter(records, at), index)
      .filter((record) => !this.#isPardoned(epoch, record));
    if (jumped.length > 0) this.#jumps++;
    for (const one of jumped) this.#missing.set(`${epoch}:${one.offset}`, { jump: this.#jumps, id: one.id });
    standing.set(epoch, offset);
    this.#excused.delete(epoch);
    this.#received.add(`${epoch}:${offset}`);
  }

  #hole({
    epoch,
    offset,
    previous,
  }: Pick<Happening & { kind: "hole" }, "epoch" | "offset" | "previous">): void {
    this.#holes++;
    const at = this.#standing?.get(epoch) ?? -1;
    this.#problem(`${epoch}:${offset} follows ${previous}, but the subscriber stood at ${at}`);
  }

  #recordsOf(epoch: string): readonly Logged[] {
    return this.#log.get(epoch)?.records.get(this.#history.endpoint) ?? [];
  }

  #dueAfter(epoch: string, offset: number): readonly Logged[] {
    const records = this.#recordsOf(epoch);
    return records.slice(indexAfter(records, offset)).filter((record) => !this.#isPardoned(epoch, record));
  }

  #problem(problem: string): void {
    const { subscriber, endpoint } = this.#history;
    if (this.#problems.length < PROBLEMS) this.#problems.push(`${subscriber} of ${endpoint}: ${problem}`);
  }
}

/** The first record of an epoch, of whichever key. */
function firstOf(records: ReadonlyMap<string, readonly Logged[]>): Logged | undefined {
  const firsts = [...records.values()].flatMap(([first]) => first ?? []);
  return firsts.reduce<Logged | undefined>(
    (a, b) => (a !== undefined && a.offset < b.offset ? a : b),
    undefined,
  );
}

/** Index of the first record after an offset. */
function indexAfter(records: readonly Logged[], offset: number): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((records[middle]?.offset ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
