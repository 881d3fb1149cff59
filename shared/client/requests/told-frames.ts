/** An update of an event stream as the frame that it was (E2, F5). Pure. */
import type { Frame } from "../../protocol/frame.ts";

/** What a binary frame ends with in an event. A JSON value may end so, too; but before it there is its `,"v":`. */
const BYTES = /,"b":"([A-Za-z0-9+/=]*)"\}$/;
const encoder = new TextEncoder();

export function frameOf(data: string): Frame {
  const found = data.includes(',"v":') ? null : BYTES.exec(data);
  if (found === null) return data;
  const head = encoder.encode(`${data.slice(0, found.index)}}\n`);
  const binary = atob(found[1] ?? "");
  const frame = new Uint8Array(head.length + binary.length);
  frame.set(head);
  for (let i = 0; i < binary.length; i++) frame[head.length + i] = binary.charCodeAt(i);
  return frame;
}
