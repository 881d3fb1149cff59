/**
 * Takes what has come out of a list of what is waited for. It looks from the list's end up to the first that hasn't, so that
 * whoever looks often looks at each once: of 50,000 each time it would take a core.
 * @returns whether nothing is waited for any more
 */
export function allCame<T>(awaited: T[], hasCome: (one: T) => boolean): boolean {
  for (let last = awaited.at(-1); last !== undefined && hasCome(last); last = awaited.at(-1)) awaited.pop();
  return awaited.length === 0;
}
