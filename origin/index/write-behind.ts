/**
 * Writes the log of commits (the WAL) back to the index's file, in a thread of its own: that is nothing but waiting
 * for the disk, and reading the log shall not wait with it. The thread begins with the first commits that are worth
 * it. What it can't do is done by a commit, once the WAL is large (schema.ts).
 *
 * SQLite begins the WAL again from its start only when a commit finds all of it written back, which never happens
 * while commits follow one another. So the thread writes back most of it beside them, asks to be let finish, and
 * for that short while commits are better put off.
 */
import { Worker } from "node:worker_threads";
import { scriptFile } from "../../shared/node/installation.ts";
import { TIME_LIMITS } from "../time-limits.ts";

/** Bytes of records after which there is something to write back. */
const STEP_BYTES = 16 * 1024 * 1024;

/** Numbers that both threads see: 1 as soon as the thread has let go of the file, and while it finishes. */
export const CLOSED = 0;
export const FINISHING = 1;

/** What the thread is given. */
export interface WriteBehindData {
  readonly path: string;
  readonly shared: Int32Array<SharedArrayBuffer>;
}

/** `unneeded`: nothing was worth a thread yet. `over`: it was closed, or the thread broke, which has let go then. */
type State =
  | { readonly kind: "unneeded" | "over" }
  | { readonly kind: "idle" | "writing"; readonly thread: Worker };

export class WriteBehind {
  readonly #data: WriteBehindData;
  #state: State = { kind: "unneeded" };
  #bytes = 0;

  constructor(path: string) {
    this.#data = { path, shared: new Int32Array(new SharedArrayBuffer(8)) };
  }

  /** Whether the WAL begins anew if the next commit waits until this is over. */
  get isFinishing(): boolean {
    return Atomics.load(this.#data.shared, FINISHING) !== 0;
  }

  /** To be called after a commit of so many bytes. */
  committed(bytes: number): void {
    this.#bytes += bytes;
    const state = this.#state;
    if (state.kind === "writing" || state.kind === "over" || this.#bytes < STEP_BYTES) return;
    this.#bytes = 0;
    const thread = state.kind === "idle" ? state.thread : this.#begin();
    this.#state = { kind: "writing", thread };
    thread.postMessage("write");
  }

  /** Resolves nothing: when it returns the thread has let go of the file. */
  close(): void {
    if ("thread" in this.#state) {
      const { thread } = this.#state;
      thread.postMessage("close");
      Atomics.wait(this.#data.shared, CLOSED, 0, TIME_LIMITS.indexThreadEndsMs);
      void thread.terminate();
    }
    this.#state = { kind: "over" };
  }

  #begin(): Worker {
    const thread = new Worker(scriptFile("origin/index/write-behind-thread"), {
      workerData: this.#data,
    });
    // It has nothing to say that would keep a process.
    thread.unref();
    thread.on("message", () => {
      if (this.#state.kind === "writing") this.#state = { kind: "idle", thread };
    });
    // Commits do what it leaves undone.
    thread.on("error", () => {
      Atomics.store(this.#data.shared, FINISHING, 0);
      this.#state = { kind: "over" };
    });
    return thread;
  }
}
