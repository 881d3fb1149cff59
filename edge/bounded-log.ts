/**
 * What the log is told of things that anybody outside can bring about, as often as they like: cut, without characters that
 * could pass for something else, and so many lines in a second. How many it wasn't told of stands behind the next line.
 */
import { Bucket, type Rate } from "./access/rate.ts";

const MOST_CHARACTERS = 2_000;

export class BoundedLog {
  readonly #lines: Bucket;
  #untold = 0;

  constructor(rate: Rate) {
    this.#lines = new Bucket(rate);
  }

  /** The line to log; undefined if there were too many. */
  line(text: string, now: number): string | undefined {
    if (this.#lines.take(now) > 0) {
      this.#untold++;
      return undefined;
    }
    const others = this.#untold === 0 ? "" : ` (and ${this.#untold} before, of which nothing is told)`;
    this.#untold = 0;
    return cut(text) + others;
  }
}

/** Lines of a stack stay lines; whatever else would begin one doesn't. */
function cut(text: string): string {
  const shown = text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
  return shown.replace(/\n(?! +at )/g, "\\n").replace(/(?!\n)\p{Cc}/gu, "?");
}
