/** Puts one answer after another together from the pieces in which a socket brings them: a length, and so many bytes. Pure. */

/** Of a length. */
const LENGTH_BYTES = 4;

export class AnswerBytes {
  #pieces: Buffer[] = [];
  #have = 0;
  #wanted = LENGTH_BYTES;

  /** How long the answer is of which a part is there, with its length; else how long that length is. */
  get wanted(): number {
    return this.#wanted;
  }

  /** How much of an answer is there. */
  get have(): number {
    return this.#have;
  }

  /** The answer without its length, once all of it is there. What has come behind it counts for the next. */
  add(piece: Buffer): Buffer | undefined {
    this.#pieces.push(piece);
    this.#have += piece.length;
    if (this.#have < this.#wanted) return undefined;
    // Nearly all come in one piece, which is then the answer; of others only the length is put together before the end.
    const all = this.#joined();
    if (this.#wanted === LENGTH_BYTES) {
      this.#wanted += all.readUInt32BE(0);
      if (this.#have < this.#wanted) return undefined;
    }
    const answer = all.subarray(LENGTH_BYTES, this.#wanted);
    this.#have -= this.#wanted;
    this.#pieces = this.#have === 0 ? [] : [all.subarray(this.#wanted)];
    this.#wanted = LENGTH_BYTES;
    return answer;
  }

  #joined(): Buffer {
    const [first, ...others] = this.#pieces;
    if (first !== undefined && others.length === 0) return first;
    const all = Buffer.concat(this.#pieces);
    this.#pieces = [all];
    return all;
  }
}
