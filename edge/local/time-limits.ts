/** The same for what runs on one machine: see edge/time-limits.ts. */
export const TIME_LIMITS = {
  // npm run edge
  /** For a port to be free, since an edge that was killed may still be about to let go. */
  portFreeMs: 1_000,
  /** Between two looks at that. */
  portLookMs: 50,
  /** For a data folder to be free. */
  folderFreeMs: 1_000,
  /** Between two looks at whether npm has gone. */
  parentLookMs: 250,
  /** A guard that ends is not replaced before. */
  guardAgainMs: 1_000,
  /** For workerd to finish its requests. */
  workerdDrainMs: 500,
  /** For workerd to end by itself if it can open no more files, before it is ended. */
  workerdFullMs: 1_000,
  /** Before workerd is started again if it ended by itself; doubled each time that it does so again. */
  workerdAgainMs: 250,
  /** If it ends five times within so long, it isn't started again. */
  workerdEndsMs: 60_000,
  /** For a connection to say what it wants, if the gate stands before workerd. */
  gateSilentMs: 10_000,
  // npm start
  /** For everything to be ready, or to say how far it is. */
  readyMs: 30_000,
  /** Between two looks at that. */
  readyLookMs: 50,
  /** Catching up with the embedded log isn't shown before. */
  progressQuietMs: 8_000,
  /** At the end, for those that write, before the edge is ended. */
  writersEndMs: 1_500,
  /** At the end, for all parts, before they are killed. */
  partsEndMs: 3_000,
} satisfies Readonly<Record<string, number>>;
