/** The same for the runtime on Node: see edge/time-limits.ts. */
export const TIME_LIMITS = {
  /** An object that nothing keeps awake is taken out of memory. */
  idleMs: 10_000,
  /** Between two looks at which are idle. */
  idleLookMs: 1_000,
  /** Between two collections of the garbage that objects left. */
  collectMs: 30_000,
  /** Work that has piled up between objects lets the network have its turn. */
  turnMs: 5,
  /** For a client to answer a close. */
  closeAnswerMs: 30_000,
  /** For the head of a request to come. */
  requestHeadMs: 15_000,
  /** Between two requests on one connection. */
  nextRequestMs: 60_000,
  /** For another worker to answer. */
  siblingMs: 3_000,
} satisfies Readonly<Record<string, number>>;
