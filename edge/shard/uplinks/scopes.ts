/** What the keys of uplinks may speak for, as it is kept with each socket, and what was said of its being passed over (U16). */
import { readUplinkScope, type UplinkScope } from "../../../shared/config/uplink-scope.ts";
import type { HibernatingPeer } from "../../peer.ts";
import type { Disbelief } from "./disbelief.ts";
import { verifiedScope } from "./uplink-attachment.ts";

/** Of a key whose bounds this version can't read. */
const NOTHING_AT_ALL: UplinkScope = { text: "", maySlice: () => false, mayTopic: () => false };

export class Scopes {
  /** Each is read once. */
  readonly #scopes = new WeakMap<HibernatingPeer, { readonly scope: UplinkScope | undefined }>();
  readonly #told = new WeakMap<HibernatingPeer, Set<Disbelief>>();

  /** Undefined: it may speak for all. */
  of(socket: HibernatingPeer): UplinkScope | undefined {
    const known = this.#scopes.get(socket);
    if (known !== undefined) return known.scope;
    const text = verifiedScope(socket);
    const scope = text === undefined ? undefined : (readUplinkScope(text) ?? NOTHING_AT_ALL);
    this.#scopes.set(socket, { scope });
    return scope;
  }

  /** Whether this hasn't been said of an uplink before. */
  isNews(socket: HibernatingPeer, why: Disbelief): boolean {
    const told = this.#told.get(socket) ?? new Set();
    this.#told.set(socket, told);
    return told.size < told.add(why).size;
  }
}
