/**
 * The write-ahead log of a database, forced to the disk without holding up the process. SQLite itself would do so within each
 * COMMIT, and nothing else would run until the disk has answered.
 */
import fs from "node:fs";

export class WriteAheadLog {
  readonly #fd: number;
  /** What is under way, and what begins after that: once, whoever asks meanwhile. */
  #forcing: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** @param database whose log is there */
  constructor(database: string) {
    this.#fd = fs.openSync(`${database}-wal`, "r+");
  }

  /** Resolves when the disk has all that was committed until now. */
  force(): Promise<void> {
    if (this.#forcing === undefined) return this.#begin();
    this.#next ??= this.#forcing
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#begin();
      });
    return this.#next;
  }

  /** After what was asked for. */
  close(): void {
    const close = () => fs.closeSync(this.#fd);
    const last = this.#next ?? this.#forcing;
    if (last === undefined) close();
    else last.then(close, close);
  }

  #begin(): Promise<void> {
    const forcing = new Promise<void>((resolve, reject) => {
      fs.fdatasync(this.#fd, (error) => {
        this.#forcing = undefined;
        if (error === null) resolve();
        else reject(error);
      });
    });
    this.#forcing = forcing;
    return forcing;
  }
}
