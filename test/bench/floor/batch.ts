/**
 * Frames for several links in one message, in the cheapest form that can be thought of: for each frame the number of
 * the link and the length, 4 bytes each, and the bytes.
 */

export interface Addressed {
  readonly link: number;
  readonly frame: Uint8Array;
}

const HEAD_BYTES = 8;

export function encodeBatch(frames: readonly Addressed[]): Uint8Array {
  const size = frames.reduce((sum, { frame }) => sum + HEAD_BYTES + frame.length, 0);
  const batch = new Uint8Array(size);
  const view = new DataView(batch.buffer);
  let at = 0;
  for (const { link, frame } of frames) {
    view.setUint32(at, link);
    view.setUint32(at + 4, frame.length);
    batch.set(frame, at + HEAD_BYTES);
    at += HEAD_BYTES + frame.length;
  }
  return batch;
}

export function forEachFrame(batch: ArrayBuffer, take: (link: number, frame: Uint8Array) => void): void {
  const view = new DataView(batch);
  for (let at = 0; at < batch.byteLength; ) {
    const length = view.getUint32(at + 4);
    take(view.getUint32(at), new Uint8Array(batch, at + HEAD_BYTES, length));
    at += HEAD_BYTES + length;
  }
}
