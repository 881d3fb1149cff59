/**
 * The memory that the windows of many endpoints share: if it is used up, those go that nobody has asked for longest, since the
 * origin can be asked again. Pure.
 */
import type { EndpointState } from "../endpoint/endpoint-state.ts";
import type { Peer } from "../peer.ts";

/** An endpoint, as one of those that share it. */
export interface WindowShare {
  readonly state: Pick<EndpointState<Peer>, "windowBytes" | "forgetWindow">;
  /** When somebody last asked for it. */
  neededAt: number;
  /** Of its window, when that was last counted. */
  bytes: number;
}

/** Down to this part of the budget, so that not each update makes room anew. */
const ROOM = 0.8;

export class WindowBudget {
  readonly #budget: number;
  #bytes = 0;

  /** @param budget What windows may take, in bytes. */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** Its window may be larger or smaller by now. */
  count(share: WindowShare): void {
    const { windowBytes } = share.state;
    this.#bytes += windowBytes - share.bytes;
    share.bytes = windowBytes;
  }

  /** It is no more. */
  remove({ bytes }: WindowShare): void {
    this.#bytes -= bytes;
  }

  /** If they take too much, windows are forgotten until they don't. */
  keep(all: Iterable<WindowShare>): void {
    if (this.#bytes <= this.#budget) return;
    const oldest = [...all].sort((one, other) => one.neededAt - other.neededAt);
    for (const share of oldest) {
      if (this.#bytes <= this.#budget * ROOM) return;
      share.state.forgetWindow();
      this.count(share);
    }
  }
}
