/**
 * Who may come in where workerd's open files are few: the decisions of the gate (gate.ts), by counting. Pure.
 *
 * A connection waits in the lobby, which costs one open file, until it says what it wants; workerd hears of it then, and not
 * before. A lobby that is full loses the one that waits longest, of the address that has most waiting: whoever floods it
 * drives out itself. Of places, one address gets a share. Some are kept for uplinks and probes, whatever address they come from.
 */
export interface Places {
  /** Connections that haven't said anything. */
  readonly lobby: number;
  /** Those that workerd serves. */
  readonly all: number;
  /** Of these, those of one address. */
  readonly perAddress: number;
  /** More, for uplinks and probes. */
  readonly kept: number;
}

/** Of each process, for what it needs beside connections. */
const OWN_FILES = 100;
/** workerd needs as many for each connection, and so does the gate: its client's, and that to workerd. */
const FILES_EACH = 2;
/** One address gets so much of all places, if nothing else is said. */
const SHARE = 1 / 4;
const MOST_KEPT = 64;
const MOST_WAITING = 2_048;

/** undefined if so few open files are no edge. */
export function placesFor(openFiles: number, perAddress: number | undefined): Places | undefined {
  const lobby = Math.min(MOST_WAITING, Math.floor(openFiles / 8));
  const kept = Math.min(MOST_KEPT, Math.floor(openFiles / 16));
  const all = Math.floor((openFiles - OWN_FILES - lobby) / FILES_EACH) - kept;
  if (all < 1) return undefined;
  return { lobby, all, perAddress: Math.min(all, perAddress ?? Math.ceil(all * SHARE)), kept };
}

/** What a connection wants, by the first that it says. */
export type Wanted = "kept" | "any";

const KEPT = /^(?:GET|HEAD) \/\$\/(?:uplink|health)[? ]/;

export function wantedBy(first: string): Wanted {
  return KEPT.test(first) ? "kept" : "any";
}

/** `C` stands for a connection. */
export class Admission<C> {
  readonly #places: Places;
  /** In the order in which they came, by address. */
  readonly #waiting = new Map<string, Set<C>>();
  #waitingCount = 0;
  readonly #served = new Map<C, { readonly address: string; readonly wanted: Wanted }>();
  readonly #byAddress = new Map<string, number>();
  /** Of the kept places those that may be given to somebody else, oldest first. */
  readonly #unproven = new Set<C>();
  #keptCount = 0;

  constructor(places: Places) {
    this.#places = places;
  }

  /** One has come. Returns who must go for it. */
  enter(connection: C, address: string): C | undefined {
    const mates = this.#waiting.get(address) ?? new Set();
    this.#waiting.set(address, mates.add(connection));
    this.#waitingCount++;
    return this.#waitingCount > this.#places.lobby ? this.#longestOfMost() : undefined;
  }

  /** One that waited has said what it wants. `goes`: who must go for it. */
  admit(connection: C, address: string, wanted: Wanted): { readonly isIn: boolean; readonly goes?: C } {
    this.#stopWaiting(connection, address);
    const { all, perAddress, kept } = this.#places;
    if (wanted === "kept") {
      const [oldest] = this.#unproven;
      const isFull = this.#keptCount >= kept;
      if (isFull && oldest === undefined) return { isIn: false };
      this.#keptCount++;
      this.#unproven.add(connection);
      this.#served.set(connection, { address, wanted });
      return isFull && oldest !== undefined ? { isIn: true, goes: oldest } : { isIn: true };
    }
    const others = this.#byAddress.get(address) ?? 0;
    if (others >= perAddress || this.#served.size - this.#keptCount >= all) return { isIn: false };
    this.#byAddress.set(address, others + 1);
    this.#served.set(connection, { address, wanted });
    return { isIn: true };
  }

  /** It was accepted as an uplink: nobody takes its place. */
  prove(connection: C): void {
    this.#unproven.delete(connection);
  }

  /** It has gone, wherever it was. */
  leave(connection: C, address: string): void {
    this.#stopWaiting(connection, address);
    const served = this.#served.get(connection);
    if (served === undefined) return;
    this.#served.delete(connection);
    this.#unproven.delete(connection);
    if (served.wanted === "kept") {
      this.#keptCount--;
      return;
    }
    const others = (this.#byAddress.get(address) ?? 1) - 1;
    if (others === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, others);
  }

  #stopWaiting(connection: C, address: string): void {
    const mates = this.#waiting.get(address);
    if (mates === undefined || !mates.delete(connection)) return;
    this.#waitingCount--;
    if (mates.size === 0) this.#waiting.delete(address);
  }

  #longestOfMost(): C | undefined {
    let most: ReadonlySet<C> = new Set();
    for (const mates of this.#waiting.values()) if (mates.size > most.size) most = mates;
    const [longest] = most;
    return longest;
  }
}
