/** The Worker's bundle, which is the same for every list of what is exposed, and the list before it. */

/** A module of its own, or one that is called with what it imports. */
export type Format = "esm" | "cjs";

/** The bundles in the package's folder. */
export const PACKED: Readonly<Record<Format, string>> = { esm: "worker.mjs", cjs: "worker.cjs" };

/** What a bundle calls the list. */
export const LIST = "STREAMS_JSON";

/** Read as JSON, and not as a script, to which some names would mean something else. */
export function withList(bundle: string, json: string): string {
  return `const ${LIST} = JSON.parse(${JSON.stringify(json)});\n${bundle}`;
}
