/**
 * Flags of Node for the origin's process; the script `origin` in package.json has the same. Records live only
 * as long as a batch, and Node's young generation grows for them to several times what it needs: with 1,000,000
 * keys the process peaks at 290 MB with this bound and at 410 MB without. It can't be set once Node runs.
 */
export const NODE_FLAGS: readonly string[] = ["--max-semi-space-size=16"];
