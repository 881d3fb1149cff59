/**
 * Large values that a shard was told lately. A GET asks an origin all the same which record is the latest, but if that is one
 * of these its value needn't cross the uplink again, however often it is asked for.
 */
import { type Frame, routingOf } from "../../../shared/protocol/frame.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import type { LatestResult } from "./latest.ts";

export interface LargeValuesPorts {
  after(ms: number, run: () => void): () => void;
  /** Asks an origin. Never rejects. */
  ask(path: string, brief: boolean): Promise<LatestResult>;
}

/** For all values of a shard. */
const HELD_BYTES = 16 * 1024 * 1024;
/** Since it was asked for last. */
const HELD_MS = TIME_LIMITS.largeValueMs;

interface Held {
  readonly frame: Frame;
  endDeadline: () => void;
}

export class LargeValues {
  readonly #ports: LargeValuesPorts;
  /** By path; that which was asked for longest ago first. */
  readonly #held = new Map<string, Held>();
  #bytes = 0;

  constructor(ports: LargeValuesPorts) {
    this.#ports = ports;
  }

  /** As the origin says now. */
  async ask(path: string, brief: boolean): Promise<LatestResult> {
    if (brief || !this.#held.has(path)) return this.#noted(path, await this.#ports.ask(path, brief));
    const latest = await this.#ports.ask(path, true);
    // What isn't large is there already.
    if (latest.kind !== "update" || latest.value === undefined) return latest;
    const held = this.#held.get(path);
    if (held === undefined || !isSame(held.frame, latest.frame))
      return this.#noted(path, await this.#ports.ask(path, false));
    this.#hold(path, held.frame);
    return { ...latest, frame: held.frame };
  }

  #noted(path: string, latest: LatestResult): LatestResult {
    // Bytes are all that was asked for; without them the question was brief.
    if (latest.kind === "update" && latest.value !== undefined && typeof latest.frame !== "string")
      this.#hold(path, latest.frame);
    return latest;
  }

  #hold(path: string, frame: Frame): void {
    this.#drop(path);
    const endDeadline = this.#ports.after(HELD_MS, () => this.#drop(path));
    this.#held.set(path, { frame, endDeadline });
    this.#bytes += frame.length;
    for (const longest of this.#held.keys()) {
      if (this.#bytes <= HELD_BYTES) break;
      this.#drop(longest);
    }
  }

  #drop(path: string): void {
    const held = this.#held.get(path);
    if (held === undefined) return;
    held.endDeadline();
    this.#held.delete(path);
    this.#bytes -= held.frame.length;
  }
}

/** Whether both are of one record. */
function isSame(a: Frame, b: Frame): boolean {
  const [one, other] = [routingOf(a), routingOf(b)];
  return one !== undefined && one.epoch === other?.epoch && one.offset === other.offset;
}
