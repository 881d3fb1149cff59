/**
 * When it is a partition's turn to be asked for first. A broker fills an answer in the order of the request, until it has as much
 * as was asked for: who comes late may be given a part of what there is, or nothing; and a batch larger than that comes only for the
 * first of which there is anything. So whoever has waited longest is first. Who was given all that there was, or its fill, goes
 * behind all others; who wasn't keeps its place, or it would fall behind ever further on a line that has room for it. Pure.
 */
export class Turn {
  #since: number | undefined;
  /** Of the present turn. */
  #bytes = 0;
  /** Where the partition ended when it was last given something. */
  #end = 0;

  /** It is asked for from this offset on: since when it has waited for its turn. `fill`: what one turn brings at least, in bytes. */
  waits(now: number, offset: number, fill: number): number {
    const isOver = this.#bytes > 0 && (this.#bytes >= fill || offset >= this.#end);
    if (isOver) this.#bytes = 0;
    if (isOver || this.#since === undefined) this.#since = now;
    return this.#since;
  }

  /** An answer had so much for it. `end`: up to which offset there was anything. */
  given(bytes: number, end: number): void {
    if (bytes === 0) return;
    this.#bytes += bytes;
    this.#end = end;
  }
}
