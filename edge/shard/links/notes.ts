/**
 * Which objects are attached, as a shard must remember it over a restart: a row for each, in batches. Many come at once
 * when an edge has restarted, and a write by itself holds up all that the shard sends until the disk has it.
 */
import type { ObjectIdentity } from "../../object-identity.ts";
import { TIME_LIMITS } from "../../time-limits.ts";

export interface NotesPorts {
  /** Milliseconds; they never go back. */
  now(): number;
  after(ms: number, run: () => void): () => void;
  /** Throws if the rows can't be written. */
  write(objects: readonly ObjectIdentity[]): void;
  erase(object: ObjectIdentity): void;
}

/** Nobody waits for it: an object is dialled meanwhile. */
const BATCH_MS = TIME_LIMITS.notesMs;
/** Between two batches: while many come, each write holds up what is sent to all of them. */
const APART_MS = TIME_LIMITS.notesApartMs;

export class Notes {
  readonly #ports: NotesPorts;
  /** What has no row yet. */
  readonly #due = new Set<ObjectIdentity>();
  #writing: Promise<void> | undefined;
  #wroteAt = Number.NEGATIVE_INFINITY;

  constructor(ports: NotesPorts) {
    this.#ports = ports;
  }

  note(object: ObjectIdentity): void {
    this.#due.add(object);
  }

  forget(object: ObjectIdentity): void {
    if (!this.#due.delete(object)) this.#ports.erase(object);
  }

  /** Resolves when all that was noted so far is written; rejects if that fails, and then it is still due. */
  written(): Promise<void> {
    if (this.#due.size === 0) return Promise.resolve();
    this.#writing ??= new Promise((resolve, reject) => {
      const ports = this.#ports;
      ports.after(Math.max(BATCH_MS, this.#wroteAt + APART_MS - ports.now()), () => {
        this.#writing = undefined;
        try {
          this.#ports.write([...this.#due]);
          this.#due.clear();
          this.#wroteAt = ports.now();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    return this.#writing;
  }
}
