/**
 * Which of an endpoint's objects is asked to take a subscriber, one after the other: A11 and L16 of INTERNALS.md. Pure; who they
 * are, and how they are asked, is opening.ts's.
 */
import { LIMITS } from "../../shared/protocol/limits.ts";

/** That take subscribers of one region: the endpoint's own, and its relays. */
const OBJECTS = LIMITS.relaysPerEndpoint + 1;

export interface LeadingPorts<Answer> {
  /** Asks an object: 0 is the endpoint's own, then come its relays. `isSure`: it is to take it whatever its key has. */
  own(object: number, isSure: boolean): Promise<Answer>;
  room(): Promise<Answer>;
  /** Whether an object answered that it is full. */
  isCrowded(answer: Answer): boolean;
  /** Whether it answered that the key's room is to be asked. */
  isForARoom(answer: Answer): boolean;
  /** How many objects are known to be full; Infinity: all, those that were asked last, too. */
  readonly full: number;
  isFull(full: number): void;
  /** Whether there are rooms, and its sender makes keys up. */
  readonly isGuess: boolean;
  /** It was led to a room. */
  missed(): void;
}

/** undefined if there is no room anywhere. */
export async function lead<Answer>(ports: LeadingPorts<Answer>): Promise<Answer | undefined> {
  const waitsInRoom = async () => {
    const waits = await ports.room();
    return ports.isCrowded(waits) ? undefined : waits;
  };
  if (ports.isGuess) return waitsInRoom();
  const ask = async (object: number) => {
    const answer = await ports.own(object, false);
    if (!ports.isForARoom(answer)) return answer;
    ports.missed();
    // If so many wait there, this one is taken like any other.
    return (await waitsInRoom()) ?? ports.own(object, true);
  };
  const { full } = ports;
  // Those that were known to be full are asked last: if many came back at once, they had left them.
  for (let at = full; at < full + OBJECTS; at++) {
    const answer = await ask(at % OBJECTS);
    if (!ports.isCrowded(answer)) return answer;
    ports.isFull(at + 1);
  }
  ports.isFull(Number.POSITIVE_INFINITY);
  return undefined;
}
