/** What http-connection.ts goes by: what happens, and what is to be done. */
import type { ErrorBody } from "../../protocol/error-body.ts";
import type { Message } from "../../protocol/message.ts";
import type { StreamEvent } from "./event-reader.ts";
import type { Post, PostAnswer } from "./posts.ts";

/** How what follows comes: as a stream that goes on, or by requests that end when there is something (E8). */
export type HttpMode = "events" | "poll";

/** What an edge says to a client that asks whether it may come (M1). `nobody`: no edge has answered. */
export type Welcome =
  | { readonly kind: "welcome" }
  | { readonly kind: "nobody" }
  | { readonly kind: "refused"; readonly error: ErrorBody };

/** An error of a request for several endpoints names the one that it is about. */
export interface StreamError extends ErrorBody {
  readonly e?: string | undefined;
}

export type HttpEvent =
  /** The answer to the last `check`. */
  | { readonly kind: "checked"; readonly welcome: Welcome }
  | { readonly kind: "said"; readonly message: Message }
  /** Something came on a stream, be it nothing but a sign of life. */
  | { readonly kind: "heard"; readonly stream: number }
  | { readonly kind: "told"; readonly stream: number; readonly event: StreamEvent }
  /** The edge answered with an error. */
  | { readonly kind: "refused"; readonly stream: number; readonly error: StreamError }
  /** `isWhole`: it ended by itself, as it was to. */
  | { readonly kind: "ended"; readonly stream: number; readonly isWhole: boolean }
  | { readonly kind: "posted"; readonly id: number; readonly answer: PostAnswer }
  /** The timer that the last `schedule` set. */
  | { readonly kind: "timer" };

export type HttpEffect =
  | { readonly kind: "check"; readonly token: string }
  /** There is an edge, and it takes what is said. */
  | { readonly kind: "opened" }
  | { readonly kind: "say"; readonly message: Message }
  | { readonly kind: "stream"; readonly stream: number; readonly query: string; readonly token: string }
  | { readonly kind: "abort"; readonly stream: number }
  | { readonly kind: "post"; readonly post: Post; readonly token: string }
  /** Streams don't get through here as they should: what follows comes by polls. */
  | { readonly kind: "polls" }
  /** The connection is over. */
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  /** Sets the one timer; the one before it is cancelled. */
  | { readonly kind: "schedule"; readonly afterMs: number };
