/**
 * What the writer of one partition is about. Pure: docs/publishing.md has the table, which a test compares with this.
 *
 * - `idle`: nothing was published here yet, or not since the partition couldn't be claimed.
 * - `claiming`: fences whoever wrote before, and reads what they published.
 * - `ready`: has the partition, and nothing is under way.
 * - `sending`: one batch is under way.
 * - `pausing`: nothing of the last batch was appended; what waits is tried after a while.
 * - `doubtful`: whether the batch was appended isn't known; it is sent again as it is after a while.
 * - `barred`: the partition couldn't be claimed; publishes are refused with the reason for a while.
 * - `resigned`: another has claimed it; publishes go there, until this writer is told to take over.
 */
export type WriterState<Held, Batch> =
  | { readonly kind: "idle"; readonly failures: number }
  | { readonly kind: "claiming"; readonly failures: number }
  | { readonly kind: "ready"; readonly held: Held }
  | { readonly kind: "sending"; readonly held: Held; readonly batch: Batch; readonly tries: number }
  | { readonly kind: "pausing"; readonly held: Held }
  | { readonly kind: "doubtful"; readonly held: Held; readonly batch: Batch; readonly tries: number }
  | { readonly kind: "barred"; readonly failures: number; readonly why: Bar }
  | { readonly kind: "resigned" };

/** Why a partition can't be claimed. */
export interface Bar {
  readonly code: "unavailable" | "forbidden" | "unknown_topic";
  readonly message: string;
}

export type WriterEvent<Held, Batch> =
  /** Something is published. */
  | { readonly kind: "wanted" }
  /** The edge wants this writer to have the partition. */
  | { readonly kind: "takeOver" }
  | { readonly kind: "claimed"; readonly held: Held }
  | { readonly kind: "failed"; readonly why: Bar }
  | { readonly kind: "sent"; readonly batch: Batch }
  /** The batch's outcome is known: it was appended, or refused. */
  | { readonly kind: "settled" }
  /** The batch was not appended, and isn't under way; later it may be. */
  | { readonly kind: "notNow" }
  | { readonly kind: "unknown" }
  /** Nobody waits for the batch any more, nor for another one. */
  | { readonly kind: "unwanted" }
  /** The claim is of no use any more, though no other writer is known. */
  | { readonly kind: "stale" }
  | { readonly kind: "fenced" }
  /** The wait of `pausing`, `doubtful` or `barred` is over. */
  | { readonly kind: "elapsed" };

export function stepWriter<Held, Batch>(
  state: WriterState<Held, Batch>,
  event: WriterEvent<Held, Batch>,
): WriterState<Held, Batch> {
  switch (state.kind) {
    case "idle":
      if (event.kind === "wanted" || event.kind === "takeOver")
        return { kind: "claiming", failures: state.failures };
      return state;
    case "claiming":
      if (event.kind === "claimed") return { kind: "ready", held: event.held };
      if (event.kind === "failed") return { kind: "barred", failures: state.failures + 1, why: event.why };
      if (event.kind === "fenced") return { kind: "resigned" };
      return state;
    case "ready":
      if (event.kind === "sent") return { kind: "sending", held: state.held, batch: event.batch, tries: 1 };
      return lost(state, event);
    case "sending":
      if (event.kind === "settled") return { kind: "ready", held: state.held };
      if (event.kind === "notNow") return { kind: "pausing", held: state.held };
      if (event.kind === "unknown") return { ...state, kind: "doubtful" };
      return lost(state, event);
    case "pausing":
      if (event.kind === "elapsed") return { kind: "ready", held: state.held };
      return lost(state, event);
    case "doubtful":
      if (event.kind === "elapsed") return { ...state, kind: "sending", tries: state.tries + 1 };
      if (event.kind === "unwanted") return { kind: "idle", failures: 0 };
      return lost(state, event);
    case "barred":
      if (event.kind === "takeOver") return { kind: "claiming", failures: state.failures };
      if (event.kind === "elapsed") return { kind: "idle", failures: state.failures };
      return state;
    case "resigned":
      if (event.kind === "takeOver") return { kind: "claiming", failures: 0 };
      return state;
  }
}

/** Whoever has a partition may lose it at any time. */
function lost<Held, Batch>(
  state: WriterState<Held, Batch>,
  event: WriterEvent<Held, Batch>,
): WriterState<Held, Batch> {
  if (event.kind === "fenced") return { kind: "resigned" };
  if (event.kind === "stale") return { kind: "claiming", failures: 0 };
  return state;
}
