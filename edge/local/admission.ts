/**
 * Who may come in when workerd's open files are few: the decisions of the gate (gate.ts), by counting. Pure.
 *
 * A connection waits in the lobby, which costs one open file, until it says what it wants; workerd hears of it then, and not
 * before. A lobby that is full loses the one that waits longest, of the address that has most waiting: whoever floods it
 * drives out itself. Of places, one address gets a share. Some are kept for uplinks and probes, whatever address they come from;
 * one of these that isn't accepted as an uplink makes room for the next in the same way.
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
export type Wanted = "uplink" | "probe" | "any";

export function wantedBy(first: string): Wanted {
  const [, path] = /^(?:GET|HEAD) \/\$\/(uplink|health)[? ]/.exec(first) ?? [];
  return path === "uplink" ? "uplink" : path === "health" ? "probe" : "any";
}

/** Connections in the order in which they came, by address. `C` stands for one. */
class Queue<C> {
  readonly #byAddress = new Map<string, Set<C>>();
  size = 0;

  add(connection: C, address: string): void {
    const mates = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, mates.add(connection));
    this.size++;
  }

  delete(connection: C, address: string): void {
    const mates = this.#byAddress.get(address);
    if (mates?.delete(connection) !== true) return;
    this.size--;
    if (mates.size === 0) this.#byAddress.delete(address);
  }

  /** Of the address that has most, takes away the one that is here longest. */
  takeOfMost(): C | undefined {
    let most = "";
    for (const [address, { size }] of this.#byAddress)
      if (size > (this.#byAddress.get(most)?.size ?? 0)) most = address;
    const [longest] = this.#byAddress.get(most) ?? [];
    if (longest !== undefined) this.delete(longest, most);
    return longest;
  }
}

export class Admission<C> {
  readonly #places: Places;
  readonly #lobby = new Queue<C>();
  /** Of the kept places those that may be given to somebody else. */
  readonly #unproven = new Queue<C>();
  readonly #kept = new Set<C>();
  readonly #served = new Set<C>();
  readonly #byAddress = new Map<string, number>();

  constructor(places: Places) {
    this.#places = places;
  }

  /** One has come. Returns who must go for it. */
  enter(connection: C, address: string): C | undefined {
    this.#lobby.add(connection, address);
    return this.#lobby.size > this.#places.lobby ? this.#lobby.takeOfMost() : undefined;
  }

  /** One that waited has said what it wants. `goes`: who must go for it. */
  admit(connection: C, address: string, wanted: Wanted): { readonly isIn: boolean; readonly goes?: C } {
    this.#lobby.delete(connection, address);
    const { all, perAddress, kept } = this.#places;
    if (wanted !== "any") {
      const isFull = this.#kept.size >= kept;
      const goes = isFull ? this.#unproven.takeOfMost() : undefined;
      if (isFull && goes === undefined) return { isIn: false };
      if (goes !== undefined) this.#kept.delete(goes);
      this.#kept.add(connection);
      this.#unproven.add(connection, address);
      return goes === undefined ? { isIn: true } : { isIn: true, goes };
    }
    const others = this.#byAddress.get(address) ?? 0;
    if (others >= perAddress || this.#served.size >= all) return { isIn: false };
    this.#byAddress.set(address, others + 1);
    this.#served.add(connection);
    return { isIn: true };
  }

  /** It was accepted as an uplink: nobody takes its place. */
  prove(connection: C, address: string): void {
    this.#unproven.delete(connection, address);
  }

  /** It has gone, wherever it was. */
  leave(connection: C, address: string): void {
    this.#lobby.delete(connection, address);
    this.#unproven.delete(connection, address);
    this.#kept.delete(connection);
    if (!this.#served.delete(connection)) return;
    const others = (this.#byAddress.get(address) ?? 1) - 1;
    if (others === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, others);
  }
}
