/**
 * Headers that are only read, as they nearly always are: names and values as they came, which are looked through. Node's own
 * checks each, and keeps it by its name.
 */
import { leanOf } from "./lean.ts";

/** Names and values in turn, each as Node's own would take it. */
type Pairs = readonly string[];
type LeanHeaders = Headers & { [PAIRS]: Pairs };

const PAIRS = Symbol("pairs");
/** A name: RFC 9110 §5.6.2. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** A value that stays as it is: nothing but visible characters, and white space between them. */
const VALUE = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/;

const LEAN = leanOf<Headers>(Headers.prototype, Headers.prototype, ["get", "has"], (lean) => {
  const headers = new Headers();
  const pairs = pairsOf(lean) ?? [];
  for (let i = 0; i < pairs.length; i += 2) headers.append(pairs[i] ?? "", pairs[i + 1] ?? "");
  return headers;
});
Object.defineProperties(LEAN.prototype, {
  get: {
    value(this: LeanHeaders, name: string): string | null {
      const made = LEAN.madeOf(this);
      return made === undefined ? valueIn(this[PAIRS], name) : made.get(name);
    },
  },
  has: {
    value(this: LeanHeaders, name: string): boolean {
      return this.get(name) !== null;
    },
  },
});

/** @param pairs not changed any more; names and values that Node's own would take as they are */
export function leanHeaders(pairs: Pairs): Headers {
  const lean = Object.create(LEAN.prototype) as LeanHeaders;
  lean[PAIRS] = pairs;
  return lean;
}

/** A copy. Throws as Node's own would if they can't be headers. */
export function copyOfHeaders(init: Exclude<ResponseInit["headers"], undefined> = {}): Headers {
  if (init instanceof Headers) {
    const pairs = LEAN.madeOf(init) === undefined ? pairsOf(init) : undefined;
    return pairs === undefined ? new Headers(init) : leanHeaders(pairs);
  }
  if (Symbol.iterator in init) return new Headers(init);
  const pairs = pairsIn(init);
  return pairs === undefined ? new Headers(init) : leanHeaders(pairs);
}

/** undefined if one of them needs Node's own look. */
function pairsIn(init: Readonly<Record<string, unknown>>): Pairs | undefined {
  const pairs: string[] = [];
  for (const name of Object.keys(init)) {
    const value = init[name];
    if (typeof value !== "string" || !NAME.test(name) || !VALUE.test(value)) return undefined;
    pairs.push(name, value);
  }
  return pairs;
}

function pairsOf(headers: Headers): Pairs | undefined {
  return (headers as Partial<LeanHeaders>)[PAIRS];
}

/** Of one that comes several times all, with commas between. */
function valueIn(pairs: Pairs, name: string): string | null {
  const wanted = ASKED.get(name) ?? asked(name);
  let value: string | null = null;
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const found = pairs[i] ?? "";
    if (found.length !== wanted.length || (found !== name && found.toLowerCase() !== wanted)) continue;
    const one = pairs[i + 1] ?? "";
    value = value === null ? one : `${value}, ${one}`;
  }
  return value;
}

/** Names that are asked for, in lower case: all but a few stand in the code of the edge. */
const ASKED = new Map<string, string>();
const MOST_ASKED = 256;

function asked(name: string): string {
  // It says what is wrong.
  if (!NAME.test(name)) new Headers().get(name);
  const lower = name.toLowerCase();
  if (ASKED.size < MOST_ASKED) ASKED.set(name, lower);
  return lower;
}
