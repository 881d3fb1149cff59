/** Entity tags, which are positions (H1, H2), as they are when they have passed proxies. */

/**
 * Those of a list, without their marks: a proxy may have made one weak, or said behind the position by which coding it compresses.
 * Positions contain commas, so tags can't be told apart by these.
 */
export function tagsIn(list: string): string[] {
  return [...list.matchAll(/"([^"]*)"/g)].map(([, tag = ""]) => SUFFIXED.exec(tag)?.[1] ?? tag);
}

/** As in `"e.0:7-gzip"`. A position ends with a digit, or is `-`. */
const SUFFIXED = /^(.*:\d+|-)[-;+_.]+[A-Za-z]\w*$/;
