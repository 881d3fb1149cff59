/**
 * To whom a frame on an uplink goes: rule U3 of INTERNALS.md. An address, a tab, the frame: the shard reads the
 * address, never the value.
 */
import { NINE, ZERO } from "./ascii.ts";
import { decodeUtf8, type Frame } from "./frame.ts";

/** Whom a frame on an uplink is for: links (L2), the asker of a question, or the shard itself. */
export type AddressedTo =
  | { readonly kind: "links"; readonly links: readonly number[] }
  | { readonly kind: "question"; readonly id: number }
  | { readonly kind: "shard" };

const TAB = "\t";
const TAB_BYTE = 0x09;
const ONE = 0x31;
/** That many digits fit a number exactly. */
const EXACT_DIGITS = 15;

/** `7,9⇥frame`, `?13⇥frame` or `0⇥frame` (U3). */
export function encodeAddressed(to: AddressedTo, frame: string): string;
export function encodeAddressed(to: AddressedTo, frame: Frame): Frame;
export function encodeAddressed(to: AddressedTo, frame: Frame): Frame {
  const address = addressOf(to);
  if (typeof frame === "string") return address + TAB + frame;
  const bytes = new Uint8Array(address.length + 1 + frame.length);
  for (let at = 0; at < address.length; at++) bytes[at] = address.charCodeAt(at);
  bytes[address.length] = TAB_BYTE;
  bytes.set(frame, address.length + 1);
  return bytes;
}

function addressOf(to: AddressedTo): string {
  if (to.kind === "shard") return "0";
  if (to.kind === "question") return `?${to.id}`;
  // Nearly all that travels is for one link.
  return to.links.length === 1 ? `${to.links[0]}` : to.links.join(",");
}

export function decodeAddressed(item: Frame): { to: AddressedTo; frame: Frame } | undefined {
  if (typeof item === "string") {
    const one = oneLinkInText(item);
    if (one !== undefined) return one;
    const tab = item.indexOf(TAB);
    const to = tab < 0 ? undefined : parseAddressed(item.slice(0, tab));
    return to && { to, frame: item.slice(tab + 1) };
  }
  const one = oneLink(item);
  if (one !== undefined) return one;
  const tab = item.indexOf(TAB_BYTE);
  const to = tab < 0 ? undefined : parseAddressed(decodeUtf8(item.subarray(0, tab)) ?? "");
  return to && { to, frame: item.subarray(tab + 1) };
}

/** Nearly all that travels is for one link: no address need be decoded for that. */
function oneLink(item: Uint8Array<ArrayBuffer>): ReturnType<typeof decodeAddressed> {
  let link = 0;
  for (let at = 0; at <= EXACT_DIGITS; at++) {
    const byte = item[at] ?? 0;
    if (byte === TAB_BYTE && link > 0)
      return { to: { kind: "links", links: [link] }, frame: item.subarray(at + 1) };
    if (byte < (at === 0 ? ONE : ZERO) || byte > NINE) return undefined;
    link = 10 * link + byte - ZERO;
  }
  return undefined;
}

/** The same of text. */
function oneLinkInText(item: string): ReturnType<typeof decodeAddressed> {
  let link = 0;
  for (let at = 0; at <= EXACT_DIGITS; at++) {
    const code = item.charCodeAt(at);
    if (code === TAB_BYTE && link > 0)
      return { to: { kind: "links", links: [link] }, frame: item.slice(at + 1) };
    if (!(code >= (at === 0 ? ONE : ZERO) && code <= NINE)) return undefined;
    link = 10 * link + code - ZERO;
  }
  return undefined;
}

const ONE_LINK = /^[1-9][0-9]{0,15}$/;

function parseAddressed(text: string): AddressedTo | undefined {
  if (ONE_LINK.test(text)) return { kind: "links", links: [Number(text)] };
  if (text === "0") return { kind: "shard" };
  if (/^\?[1-9][0-9]{0,15}$/.test(text)) return { kind: "question", id: Number(text.slice(1)) };
  if (!/^[1-9][0-9]{0,15}(,[1-9][0-9]{0,15})*$/.test(text)) return undefined;
  return { kind: "links", links: text.split(",").map(Number) };
}
