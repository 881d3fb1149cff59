/** The platform's FixedLengthStream: what is written is read as it is, and as many bytes as were said, so that they can be told. */
const lengths = new WeakMap<ReadableStream, number>();

export class FixedLengthStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;

  constructor(length: number) {
    let left = length;
    const through = new TransformStream<Uint8Array, Uint8Array>(
      {
        transform(chunk, controller) {
          left -= chunk.byteLength;
          if (left < 0) throw new TypeError("Attempt to write too many bytes through a FixedLengthStream.");
          controller.enqueue(chunk);
        },
        flush() {
          if (left > 0)
            throw new TypeError("FixedLengthStream did not see all expected bytes before close().");
        },
      },
      { highWaterMark: 1 },
      // A piece counts as written once it was asked for.
      { highWaterMark: 0 },
    );
    this.readable = through.readable;
    this.writable = through.writable;
    lengths.set(through.readable, length);
  }
}

/** undefined for any other stream. */
export function lengthOf(stream: ReadableStream | null): number | undefined {
  return stream === null ? undefined : lengths.get(stream);
}
