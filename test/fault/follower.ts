/**
 * What one subscription is told, by PROTOCOL.md alone: it shares no code with the product. It keeps its position, finds out
 * where what comes doesn't continue that (P5), and writes down all that it was told, for the checker.
 */
import { formatPosition, type Happening, type PositionText, parsePosition, type Written } from "./history.ts";
import { idOfUpdate } from "./record.ts";

/** What the edge says, as JSON has it. */
export type Said = Readonly<Record<string, unknown>>;

/** What a verdict or a reset says. */
interface Standing {
  readonly position: string;
  readonly recovered?: boolean;
  readonly cause?: string;
}

/** Hears of each thing as it is written down. */
export type Heard = (happening: Happening) => void;

export interface FollowerSettings {
  /** Where it stood before its first verdict; undefined for one without a past. */
  readonly from?: PositionText | undefined;
  readonly heard: Heard;
  /** How many records were produced so far. */
  readonly written: () => Written;
}

export class Follower {
  readonly happenings: Happening[] = [];
  readonly #settings: FollowerSettings;
  #at: Map<string, number> | undefined;
  /** The subscribe whose verdict is due; undefined when it has come. */
  #asked: { readonly id: number; readonly from: string | undefined; readonly isFirst: boolean } | undefined;

  constructor(settings: FollowerSettings) {
    this.#settings = settings;
    if (settings.from !== undefined) this.#at = parsePosition(settings.from);
  }

  /** epoch → offset; undefined until the first verdict. */
  get position(): ReadonlyMap<string, number> | undefined {
    return this.#at;
  }

  /** Of the subscribe whose verdict is due. */
  get askedId(): number | undefined {
    return this.#asked?.id;
  }

  /** Whether that one was the first of its endpoint on its socket. */
  get isFirst(): boolean {
    return this.#asked?.isFirst === true;
  }

  /**
   * It subscribes from now on, by a frame of this id; returns from where.
   * @param isFirst nothing of the endpoint was asked for on this socket before, so that nothing of it may be under way
   */
  asks(id: number, isFirst: boolean): PositionText | undefined {
    const from = this.#at && formatPosition(this.#at);
    this.#asked = { id, from, isFirst };
    return from;
  }

  /** Returns whether it is the verdict that is due. */
  verdict(id: number, said: Said): boolean {
    if (id !== this.#asked?.id) return false;
    const { position, recovered, cause } = said as unknown as Standing;
    const { from } = this.#asked;
    this.#asked = undefined;
    this.#at = parsePosition(position);
    const { written } = this.#settings;
    this.#note({ kind: "verdict", from, position, recovered, cause, written: written() });
    return true;
  }

  reset(frame: Said): void {
    // Before a verdict it is about what was before: the verdict will say.
    if (this.#asked !== undefined) return;
    const { position, cause = "none" } = frame as unknown as Standing;
    this.#at = parsePosition(position);
    this.#note({ kind: "reset", position, cause, written: this.#settings.written() });
  }

  /** Returns whether something is missing before it, so that it must be asked for again. */
  update({ p, q, v, h = [] }: Said): boolean {
    const [, epoch = "", offset = ""] = /^(.*):(\d+)$/.exec(String(p)) ?? [];
    const previous = q as number | undefined;
    const id = idOfUpdate(v, h as readonly (readonly unknown[])[]);
    const at = this.#at?.get(epoch) ?? -1;
    // While it asks again, what comes belongs to what was before.
    if (this.#asked?.isFirst === false) return false;
    if ((previous ?? -1) > at && this.#at !== undefined) {
      this.#note({ kind: "hole", epoch, offset: Number(offset), previous });
      return true;
    }
    this.#at?.set(epoch, Math.max(at, Number(offset)));
    this.#note({ kind: "update", epoch, offset: Number(offset), previous, id });
    return false;
  }

  #note(happening: Happening): void {
    this.happenings.push(happening);
    this.#settings.heard(happening);
  }
}
