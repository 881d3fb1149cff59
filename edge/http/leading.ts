/**
 * Which of an endpoint's objects is asked to take a subscriber, one after the other: A11 and L16 of INTERNALS.md. Pure; who they
 * are, and how they are asked, is opening.ts's.
 */
import { LIMITS } from "../../shared/protocol/limits.ts";

export interface LeadingPorts<Answer> {
  /** Asks the endpoint's own object, or the relay of that number after it. `isSure`: it is to take it whatever its key has. */
  own(full: number, isSure: boolean): Promise<Answer>;
  room(): Promise<Answer>;
  /** Whether an object answered that it is full. */
  isCrowded(answer: Answer): boolean;
  /** Whether it answered that the key's room is to be asked. */
  isForARoom(answer: Answer): boolean;
  /** How many objects are known to be full. */
  readonly full: number;
  isFull(full: number): void;
  /** Whether there are rooms, and its sender makes keys up. */
  readonly isGuess: boolean;
  /** It was led to a room. */
  missed(): void;
}

/** undefined if there is no room anywhere. */
export async function lead<Answer>(ports: LeadingPorts<Answer>): Promise<Answer | undefined> {
  if (ports.isGuess) return ports.room();
  for (let { full } = ports; full <= LIMITS.relaysPerEndpoint; full++) {
    const answer = await ports.own(full, false);
    if (ports.isForARoom(answer)) {
      ports.missed();
      const waits = await ports.room();
      // So many wait there that this one is taken like any other.
      return ports.isCrowded(waits) ? ports.own(full, true) : waits;
    }
    if (!ports.isCrowded(answer)) return answer;
    ports.isFull(full + 1);
  }
  return undefined;
}
