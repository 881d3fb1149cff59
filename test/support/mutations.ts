/** What is near to something that can be read: inputs as a fault or an attacker makes them of good ones. */
import { seeded } from "../bench/load/chance.ts";

/** What parsers trip over. */
const PIECES = [
  "\u0000",
  "\n",
  "\t",
  "\u001e",
  '"',
  "\\",
  "\\u0000",
  "\ud800",
  "😀",
  "%",
  "%00",
  "%2F",
  "%2f",
  "%C3%28",
  "/",
  "/../",
  "$",
  "*",
  "{sub}",
  "{",
  "}",
  "[",
  "]",
  ":",
  ",",
  ".",
  "..",
  "-",
  "=",
  ";",
  " ",
  "null",
  "true",
  "0",
  "-1",
  "1e400",
  "9007199254740993",
  "99999999999999999999",
  "__proto__",
  "constructor",
  '"id":',
  '"token":',
  "distributary.bearer.",
  "Bearer ",
];

export class Mutations {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  /** A whole number below this. */
  below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  one<T>(of: readonly T[]): T {
    const chosen = of[this.below(of.length)];
    if (chosen === undefined) throw new Error("there is nothing to choose from");
    return chosen;
  }

  /** One of the good inputs with one to four changes. */
  text(good: readonly string[]): string {
    let text = this.one(good);
    for (let left = 1 + this.below(4); left > 0; left--) text = this.#changed(text, good);
    return text;
  }

  /** Likewise, of bytes. */
  bytes(good: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    const bytes = Buffer.from(this.one(good));
    const other = this.one(good);
    switch (this.below(4)) {
      case 0:
        if (bytes.length > 0) bytes[this.below(bytes.length)] = this.below(256);
        return Uint8Array.from(bytes);
      case 1:
        return Uint8Array.from(bytes.subarray(0, this.below(bytes.length + 1)));
      case 2: {
        const [from, until] = [this.below(bytes.length + 1), this.below(other.length + 1)];
        return Uint8Array.from([...bytes.subarray(0, from), ...other.subarray(until)]);
      }
      default: {
        const at = this.below(bytes.length + 1);
        const piece = Buffer.from(this.one(PIECES));
        return Uint8Array.from([...bytes.subarray(0, at), ...piece, ...bytes.subarray(at)]);
      }
    }
  }

  #changed(text: string, good: readonly string[]): string {
    const at = this.below(text.length + 1);
    const until = Math.min(text.length, at + 1 + this.below(8));
    switch (this.below(7)) {
      case 0:
        return text.slice(0, at) + text.slice(until);
      case 1:
        return text.slice(0, at) + this.one(PIECES) + text.slice(at);
      case 2:
        return text.slice(0, at) + this.one(PIECES) + text.slice(until);
      case 3:
        return (
          text.slice(0, at) + String.fromCharCode(this.below(this.one([128, 65_536]))) + text.slice(at + 1)
        );
      case 4:
        return text.slice(0, at) + text.slice(at, until).repeat(2 + this.below(20)) + text.slice(until);
      case 5:
        return text.slice(0, at);
      default: {
        const other = this.one(good);
        return text.slice(0, at) + other.slice(this.below(other.length + 1));
      }
    }
  }
}
