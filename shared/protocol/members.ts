/**
 * Where the members of a JSON object stand in its text, for whoever must pass one of them on exactly as it was written. Looks
 * at each character once and makes nothing of it. Whether a member's text is JSON is for its reader to say.
 */

/** An object of more members isn't looked at further. */
const MOST = 32;
const NONE = -1;

/** The text of each member, by name; of two of one name the last counts. undefined if the text can be no object's. */
export function membersOf(text: string): ReadonlyMap<string, string> | undefined {
  const members = new Map<string, string>();
  let at = afterSpace(text, 0);
  if (text[at] !== "{") return undefined;
  at = afterSpace(text, at + 1);
  if (text[at] === "}") return isEnd(text, at) ? members : undefined;
  for (let count = 0; count < MOST; count++) {
    const nameEnd = text[at] === '"' ? afterString(text, at + 1) : NONE;
    const name = nameEnd === NONE ? undefined : stringOf(text.slice(at, nameEnd));
    const colon = afterSpace(text, nameEnd);
    if (name === undefined || text[colon] !== ":") return undefined;
    const start = afterSpace(text, colon + 1);
    const end = afterValue(text, start);
    if (end === NONE) return undefined;
    members.set(name, text.slice(start, end));
    at = afterSpace(text, end);
    if (text[at] === "}") return isEnd(text, at) ? members : undefined;
    if (text[at] !== ",") return undefined;
    at = afterSpace(text, at + 1);
  }
  return undefined;
}

/** Whether nothing but space follows what closes the object. */
function isEnd(text: string, at: number): boolean {
  return afterSpace(text, at + 1) === text.length;
}

function stringOf(json: string): string | undefined {
  try {
    const read: unknown = JSON.parse(json);
    return typeof read === "string" ? read : undefined;
  } catch {
    return undefined;
  }
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (isSpace(text[at])) at++;
  return at;
}

function isSpace(character: string | undefined): boolean {
  return character === " " || character === "\n" || character === "\r" || character === "\t";
}

/** @param from after its first quote. */
function afterString(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const character = text[at];
    if (character === '"') return at + 1;
    if (character === "\\") at++;
  }
  return NONE;
}

function afterValue(text: string, from: number): number {
  const first = text[from];
  if (first === '"') return afterString(text, from + 1);
  return first === "{" || first === "[" ? afterNested(text, from) : afterScalar(text, from);
}

function afterNested(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      const end = afterString(text, at + 1);
      if (end === NONE) return NONE;
      at = end - 1;
    } else if (character === "{" || character === "[") depth++;
    else if ((character === "}" || character === "]") && --depth === 0) return at + 1;
  }
  return NONE;
}

function afterScalar(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isSpace(text[at]) && !",}]".includes(text[at] ?? "")) at++;
  return at > from ? at : NONE;
}
