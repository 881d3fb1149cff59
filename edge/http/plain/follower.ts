/** What follows an endpoint until it has an answer. */
import type { Message } from "../../../shared/protocol/message.ts";

export interface Follower {
  /** Returns frames to say in return. */
  hear(message: Message): readonly string[];
  isDone(): boolean;
  /** Whether there is an answer, if no better one comes in time. */
  canTell(): boolean;
}
