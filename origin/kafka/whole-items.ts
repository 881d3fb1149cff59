/** Joins what comes in pieces to runs of whole items, such as records: one may lie across any number of pieces. */

/** How long the item at `at` is, with what says so; undefined if not even that is there. Throws WireError. */
export type LengthAt = (bytes: Buffer, at: number) => number | undefined;

/** An item is larger than there is room for. */
export class NeedsRoom extends Error {
  readonly bytes: number;

  constructor(bytes: number) {
    super(`an item of ${bytes} bytes needs more room`);
    this.bytes = bytes;
  }
}

const NOTHING: Buffer = Buffer.alloc(0);

/** Runs of whole items, in order; in the end what is left of one that is cut short. Throws NeedsRoom. */
export async function* wholeItems(
  pieces: AsyncIterable<Buffer>,
  lengthAt: LengthAt,
  room: number,
): AsyncGenerator<Buffer, void, void> {
  // An item that goes on in the next piece: all that there is, or, once its length is known, that much of its own buffer.
  let rest = NOTHING;
  let item: Buffer | undefined;
  let have = 0;
  for await (const piece of pieces) {
    let bytes = piece;
    if (item !== undefined) {
      const taken = piece.copy(item, have);
      have += taken;
      if (have < item.length) continue;
      yield item;
      item = undefined;
      bytes = piece.subarray(taken);
    } else if (rest.length > 0) bytes = Buffer.concat([rest, piece]);

    let end = 0;
    let length = lengthAt(bytes, end);
    for (; length !== undefined && end + length <= bytes.length; length = lengthAt(bytes, end)) end += length;
    if (end > 0) yield bytes.subarray(0, end);
    rest = bytes.subarray(end);
    if (length === undefined) continue;
    if (length > room) throw new NeedsRoom(length);
    item = Buffer.allocUnsafe(length);
    have = rest.copy(item);
    rest = NOTHING;
  }
  if (item !== undefined) yield item.subarray(0, have);
  else if (rest.length > 0) yield rest;
}
