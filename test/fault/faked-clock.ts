/** The clock of a process, set by others: libfaketime, where the machine has it. The monotonic one stays. */
import { existsSync, globSync, writeFileSync } from "node:fs";

const PLACES = ["/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1"];

const library = PLACES.flatMap((place) => globSync(place)).find((path) => existsSync(path));

/** Why clocks can't be set here, if so. */
export const noFakedClock =
  library === undefined ? "libfaketime is not on this machine (apt-get install libfaketime)" : undefined;

export class FakedClock {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
    this.jump(0);
  }

  /** What a process that follows this clock needs in its environment. */
  get env(): Readonly<Record<string, string>> {
    if (library === undefined) return {};
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      // Else it asks the clock that it fakes itself whether to look again.
      FAKETIME_NO_CACHE: "1",
    };
  }

  /** The clock shows so much more than the machine's, or less. */
  jump(seconds: number): void {
    writeFileSync(this.#file, `${seconds >= 0 ? "+" : ""}${seconds}\n`);
  }
}
