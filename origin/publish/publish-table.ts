/**
 * Publishes by their ids, in the order in which they came; the oldest leave first. Hundreds of thousands are remembered, and each
 * that is published is looked up, so they lie in a few arrays of numbers: as objects they would be looked through for garbage
 * again and again, and lie all over the memory. Pure.
 *
 * A ring holds what is known of each. Beside it a table says where in the ring an id is: at the place that follows from the id,
 * or, if that is taken, at the next that isn't. It is at most half full.
 */

/** Ids and fingerprints have so many characters, each of them a byte, four to a word. */
const WORDS = 4;
const FIRST_ROOM = 16;

/** Of one publish, in the ring. */
export type Slot = number;

export class PublishTable {
  #room = 0;
  #size = 0;
  /** The slot of the oldest. */
  #oldest = 0;
  #ids = new Int32Array(0);
  #fingerprints = new Int32Array(0);
  #offsets = new Float64Array(0);
  #timestamps = new Float64Array(0);
  /** Slots and one; 0 is no slot. */
  #places = new Int32Array(0);

  get size(): number {
    return this.#size;
  }

  find(id: string): Slot | undefined {
    if (this.#size === 0) return undefined;
    read(id, sought);
    const slot = (this.#places[this.#placeOf(sought, 0)] ?? 0) - 1;
    return slot < 0 ? undefined : slot;
  }

  /** One that isn't there yet. */
  add(id: string, fingerprint: string, offset: number, timestamp: number): void {
    if (this.#size === this.#room) this.#grow();
    const slot = (this.#oldest + this.#size) & (this.#room - 1);
    this.#size++;
    read(id, sought);
    this.#places[this.#placeOf(sought, 0)] = slot + 1;
    for (let word = 0; word < WORDS; word++) this.#ids[WORDS * slot + word] = sought[word] ?? 0;
    this.set(slot, fingerprint, offset, timestamp);
  }

  set(slot: Slot, fingerprint: string, offset: number, timestamp: number): void {
    read(fingerprint, this.#fingerprints, WORDS * slot);
    this.#offsets[slot] = offset;
    this.#timestamps[slot] = timestamp;
  }

  offsetOf(slot: Slot): number {
    return this.#offsets[slot] ?? Number.NaN;
  }

  hasFingerprint(slot: Slot, fingerprint: string): boolean {
    read(fingerprint, sought);
    return isSame(sought, 0, this.#fingerprints, WORDS * slot);
  }

  /** undefined if there is none. */
  get oldestTimestamp(): number | undefined {
    return this.#size === 0 ? undefined : this.#timestamps[this.#oldest];
  }

  removeOldest(): void {
    if (this.#size === 0) return;
    this.#free(this.#placeOf(this.#ids, WORDS * this.#oldest));
    this.#oldest = (this.#oldest + 1) & (this.#room - 1);
    this.#size--;
  }

  clear(): void {
    this.#room = 0;
    this.#size = 0;
    this.#oldest = 0;
    this.#arrange();
  }

  /** Where in the table an id is, which stands in `words` from `at` on; or where it would be. */
  #placeOf(words: Int32Array, at: number): number {
    const mask = this.#places.length - 1;
    let place = hashOf(words, at) & mask;
    for (;;) {
      const slot = (this.#places[place] ?? 0) - 1;
      if (slot < 0 || isSame(words, at, this.#ids, WORDS * slot)) return place;
      place = (place + 1) & mask;
    }
  }

  /** Those that had to go further because of it move up. */
  #free(place: number): void {
    const mask = this.#places.length - 1;
    let free = place;
    for (let next = (place + 1) & mask; ; next = (next + 1) & mask) {
      const slot = (this.#places[next] ?? 0) - 1;
      if (slot < 0) break;
      const from = hashOf(this.#ids, WORDS * slot) & mask;
      if (((next - from) & mask) < ((next - free) & mask)) continue;
      this.#places[free] = slot + 1;
      free = next;
    }
    this.#places[free] = 0;
  }

  #grow(): void {
    const [ids, fingerprints, offsets, timestamps] = [
      ...([this.#ids, this.#fingerprints] as const),
      ...([this.#offsets, this.#timestamps] as const),
    ];
    const [oldest, before] = [this.#oldest, this.#room];
    this.#room = Math.max(FIRST_ROOM, 2 * before);
    this.#oldest = 0;
    this.#arrange();
    // The ring begins at the beginning from now on.
    for (const [from, to, words] of [
      [ids, this.#ids, WORDS],
      [fingerprints, this.#fingerprints, WORDS],
      [offsets, this.#offsets, 1],
      [timestamps, this.#timestamps, 1],
    ] as const) {
      to.set(from.subarray(words * oldest), 0);
      to.set(from.subarray(0, words * oldest), words * (before - oldest));
    }
    for (let slot = 0; slot < this.#size; slot++)
      this.#places[this.#placeOf(this.#ids, WORDS * slot)] = slot + 1;
  }

  /** For as many as there is room for, and empty. */
  #arrange(): void {
    this.#ids = new Int32Array(WORDS * this.#room);
    this.#fingerprints = new Int32Array(WORDS * this.#room);
    this.#offsets = new Float64Array(this.#room);
    this.#timestamps = new Float64Array(this.#room);
    this.#places = new Int32Array(2 * this.#room);
  }
}

/** The id or the fingerprint that is looked for. */
const sought = new Int32Array(WORDS);

/** Puts it into the words from `to` on. */
function read(text: string, words: Int32Array, to = 0): void {
  for (let word = 0; word < WORDS; word++) {
    const at = 4 * word;
    words[to + word] =
      text.charCodeAt(at) |
      (text.charCodeAt(at + 1) << 8) |
      (text.charCodeAt(at + 2) << 16) |
      (text.charCodeAt(at + 3) << 24);
  }
}

function isSame(one: Int32Array, at: number, other: Int32Array, otherAt: number): boolean {
  for (let word = 0; word < WORDS; word++) if (one[at + word] !== other[otherAt + word]) return false;
  return true;
}

const MIXES = [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f] as const;

/** Ids are hashes already, unless somebody else has written them. */
function hashOf(words: Int32Array, at: number): number {
  let hash = 0;
  for (let word = 0; word < WORDS; word++) hash = Math.imul(hash ^ (words[at + word] ?? 0), MIXES[word] ?? 1);
  return hash ^ (hash >>> 15);
}
