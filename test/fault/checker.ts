/**
 * Judges what a subscriber was told against what the log holds: every record since it came once and in order, or a
 * gap that was announced. Pure.
 *
 * The order of an endpoint is that of offsets within an epoch; there is none across epochs (P6).
 */
import {
  formatPosition,
  type Happening,
  type History,
  type Logged,
  type PositionText,
  parsePosition,
  type WrittenLog,
} from "./history.ts";

export interface AnnouncedGap {
  readonly cause: string;
  /** The log no longer holds what was due, so that nothing else could be said. */
  readonly justified: boolean;
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

export function check(history: History, log: WrittenLog): Findings {
  return new Check(history, log).run();
}

/** Whether a subscriber saw everything once and in order, or was told plainly, and rightly, that it could not. */
export function isClean(findings: Findings): boolean {
  const { lost, duplicated, outOfOrder, unannouncedGaps, holes, foreign, falseVerdicts, announced } =
    findings;
  return (
    lost + duplicated + outOfOrder + unannouncedGaps + holes + foreign + falseVerdicts === 0 &&
    announced.every(({ justified }) => justified)
  );
}

class Check {
  readonly #history: History;
  readonly #log: WrittenLog;
  /** Where the subscriber stands; undefined until its first verdict. */
  #standing: Map<string, number> | undefined;
  readonly #received = new Set<string>();
  /** Jumped over and not received since, by name: in which jump. */
  readonly #missing = new Map<string, { readonly jump: number; readonly id: number }>();
  /** Epochs that were declared over. */
  readonly #excused = new Set<string>();
  #jumps = 0;
  readonly #duplicated: number[] = [];
  readonly #outOfOrder: number[] = [];
  #holes = 0;
  #foreign = 0;
  #falseVerdicts = 0;
  readonly #announced: AnnouncedGap[] = [];
  readonly #problems: string[] = [];

  constructor(history: History, log: WrittenLog) {
    this.#history = history;
    this.#log = log;
  }

  run(): Findings {
    for (const happening of this.#history.happenings) this.#take(happening);
    const lost = Array.from(this.#missing.values(), ({ id }) => id);
    for (const [epoch] of this.#log) {
      const left = this.#standing === undefined ? [] : this.#after(epoch, this.#standing.get(epoch) ?? -1);
      if (this.#excused.has(epoch) || left.length === 0) continue;
      lost.push(...left.map(({ id }) => id));
      this.#problem(`${left.length} records never came, the first ${epoch}:${left[0]?.offset}`);
    }
    for (const name of this.#missing.keys()) this.#problem(`${name} never came`);
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
        this.#gap(happening.cause, happening.position);
        break;
      case "update":
        this.#update(happening);
        break;
      case "hole":
        this.#hole(happening);
    }
  }

  #verdict({ from, position, recovered, cause }: Happening & { kind: "verdict" }): void {
    if (this.#standing === undefined || from === undefined) {
      // Nothing was promised before; but who has come once must not come as if it were new.
      if (this.#standing !== undefined)
        this.#falseVerdict("a subscriber that stood somewhere asked from nowhere");
      this.#standing ??= parsePosition(position);
      return;
    }
    const isSame = formatPosition(parsePosition(position)) === formatPosition(parsePosition(from));
    if (recovered !== true) this.#gap(cause ?? "none", position);
    else if (!isSame) this.#falseVerdict(`recovered from ${from} to ${position}`);
  }

  #falseVerdict(problem: string): void {
    this.#falseVerdicts++;
    this.#problem(problem);
  }

  /** Continuity was declared lost: what follows begins after `position`. */
  #gap(cause: string, position: PositionText): void {
    const before = this.#standing ?? new Map<string, number>();
    const after = parsePosition(position);
    const justified = cause === "epoch" && [...before.keys()].some((epoch) => this.#log.get(epoch)?.isVoid);
    let records = 0;
    for (const [epoch, { isVoid }] of this.#log) {
      const to = after.get(epoch);
      if (to === undefined && !isVoid) continue;
      if (to === undefined) {
        if (!this.#excused.has(epoch)) records += this.#after(epoch, before.get(epoch) ?? -1).length;
        this.#excused.add(epoch);
      } else {
        records += this.#after(epoch, before.get(epoch) ?? -1).filter(({ offset }) => offset <= to).length;
      }
    }
    this.#announced.push({ cause, justified, records });
    if (!justified) this.#problem(`a gap with cause ${cause}: from ${formatPosition(before)} to ${position}`);
    this.#standing = after;
  }

  #update(update: Happening & { kind: "update" }): void {
    const { epoch, offset, previous, id } = update;
    const name = `${epoch}:${offset}`;
    if (this.#standing === undefined) {
      this.#falseVerdict(`${name} came before a verdict`);
      return;
    }
    const records = this.#recordsOf(epoch);
    const index = indexAfter(records, offset - 1);
    const record = records[index];
    if (record?.offset !== offset || record.id !== id) {
      this.#foreign++;
      this.#problem(`${name} came with the value of ${id}; the log holds ${JSON.stringify(record)}`);
      return;
    }
    const isForgotten = previous === undefined && this.#log.get(epoch)?.isForgotten;
    if (previous !== records[index - 1]?.offset && !isForgotten) {
      this.#foreign++;
      this.#problem(
        `${name} names ${previous} as its predecessor; the log has ${records[index - 1]?.offset}`,
      );
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
    const jumped = records.slice(indexAfter(records, at), index);
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

  #after(epoch: string, offset: number): readonly Logged[] {
    const records = this.#recordsOf(epoch);
    return records.slice(indexAfter(records, offset));
  }

  #problem(problem: string): void {
    const { subscriber, endpoint } = this.#history;
    if (this.#problems.length < PROBLEMS) this.#problems.push(`${subscriber} of ${endpoint}: ${problem}`);
  }
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
