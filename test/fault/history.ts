/**
 * What the checker judges: what one subscriber was told, event by event, and what the log holds. Nothing here, nor in
 * checker.ts, is shared with the product.
 */

/** A position in its text form: `epoch:offset[,epoch:offset…]`, `-` for nothing. */
export type PositionText = string;

/** How many records had been produced by then, over all topics: those whose ids are below it. */
export type Written = number;

export type Happening =
  /** The answer to a subscribe; `from` is what was asked. */
  | {
      readonly kind: "verdict";
      readonly from: PositionText | undefined;
      readonly position: PositionText;
      readonly recovered: boolean | undefined;
      readonly cause: string | undefined;
      readonly written: Written;
    }
  /** Continuity was lost while the subscriber was connected. */
  | {
      readonly kind: "reset";
      readonly position: PositionText;
      readonly cause: string;
      readonly written: Written;
    }
  | {
      readonly kind: "update";
      readonly epoch: string;
      readonly offset: number;
      /** Offset of the record before it on its endpoint; undefined if none was named. */
      readonly previous: number | undefined;
      /** Which record it says to be, from its value. */
      readonly id: number;
    }
  /** An update came whose predecessor the subscriber had not received: it was dropped, and asked for again. */
  | {
      readonly kind: "hole";
      readonly epoch: string;
      readonly offset: number;
      readonly previous: number | undefined;
    };

export interface History {
  /** For people. */
  readonly subscriber: string;
  /** Path of the endpoint. */
  readonly endpoint: string;
  /** Where the subscriber stood before its first verdict; undefined for one that came without a past. */
  readonly from?: PositionText | undefined;
  readonly happenings: readonly Happening[];
}

/** A record as it was read back from the log, or, of topics from which records vanish, as it was acknowledged. */
export interface Logged {
  readonly offset: number;
  readonly id: number;
  readonly isTombstone?: true;
  /** It was acknowledged, and the log no longer held it in the end: it was compacted away or deleted. */
  readonly vanished?: true;
}

/** One partition of one incarnation of a topic, as it was at the end: of the last, or just before it was deleted. */
export interface LoggedEpoch {
  /** Whether its topic was deleted. */
  readonly isVoid: boolean;
  /** Whether origins may have forgotten what was before a record, and then name nothing (P5). */
  readonly isForgotten: boolean;
  /** Whether origins keep so little of it that `horizon` may be said of what the log still holds. */
  readonly isShort?: boolean;
  /** Of a topic from which records vanish; undefined of any other, whose log must hold all that was acknowledged. */
  readonly forgetful?: Forgetful | undefined;
  /** endpoint → its records, in the order of their offsets. */
  readonly records: ReadonlyMap<string, readonly Logged[]>;
}

export interface Forgetful {
  /** The records that vanished, of all endpoints, in the order of their offsets. */
  readonly vanished: readonly Logged[];
  /** endpoint → ids of all that was ever sent to be written, acknowledged or not */
  readonly sent: ReadonlyMap<string, ReadonlySet<number>>;
}

/** By epoch. */
export type WrittenLog = ReadonlyMap<string, LoggedEpoch>;

export function parsePosition(text: PositionText): Map<string, number> {
  const position = new Map<string, number>();
  if (text === "-") return position;
  for (const component of text.split(",")) {
    const colon = component.lastIndexOf(":");
    position.set(component.slice(0, colon), Number(component.slice(colon + 1)));
  }
  return position;
}

export function formatPosition(position: ReadonlyMap<string, number>): PositionText {
  const components = Array.from(position, ([epoch, offset]) => `${epoch}:${offset}`);
  return components.sort().join(",") || "-";
}
